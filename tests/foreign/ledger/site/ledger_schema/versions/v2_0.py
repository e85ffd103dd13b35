"""Larger amounts, no memos."""

import sqlalchemy as sa
from alembic import op

revision = "2.0"
down_revision = "1.1"


def upgrade():
    with op.batch_alter_table("entries") as batch_op:
        batch_op.alter_column("amount", existing_type=sa.Numeric(10, 2), type_=sa.Numeric(14, 2))
        batch_op.drop_column("memo")
    with op.batch_alter_table("books") as batch_op:
        batch_op.alter_column("name", existing_type=sa.String(40), nullable=False)
        batch_op.create_unique_constraint("uq_books_name", ["name"])
