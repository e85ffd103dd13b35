"""A longer status; on SQLite the table is rebuilt."""

import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.alter_column("status", type_=sa.String(20), existing_type=sa.String(10))


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.alter_column("status", type_=sa.String(10), existing_type=sa.String(20))
