"""A status for every order; on SQLite the table is rebuilt."""

import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.alter_column("status", nullable=False, existing_type=sa.Text())


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.alter_column("status", nullable=True, existing_type=sa.Text())
