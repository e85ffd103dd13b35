"""Books and entries."""

import sqlalchemy as sa
from alembic import op

revision = "1.0"
down_revision = None


def upgrade():
    from ledger_schema import metadata

    op.create_table("books", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(40)))
    op.create_table(
        "entries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("book", sa.String(40), nullable=False),
        sa.Column("amount", sa.Numeric(10, 2), nullable=False),
        sa.Column("memo", sa.Text),
    )
    op.create_index("ix_entries_memo", "entries", [sa.text("lower(memo)")])
    assert {"books", "entries"} <= set(metadata.tables)
