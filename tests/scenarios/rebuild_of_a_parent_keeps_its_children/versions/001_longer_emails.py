"""Longer e-mail addresses; on SQLite the table is rebuilt."""

import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade() -> None:
    with op.batch_alter_table("users") as batch:
        batch.alter_column("email", type_=sa.String(255), existing_type=sa.String(50), existing_nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("users") as batch:
        batch.alter_column("email", type_=sa.String(50), existing_type=sa.String(255), existing_nullable=False)
