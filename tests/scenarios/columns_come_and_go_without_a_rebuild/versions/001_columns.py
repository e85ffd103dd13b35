"""Two columns come, one goes, one gets another name: as autogenerate writes it with render_as_batch."""

import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade() -> None:
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("note", sa.String(length=20), server_default=sa.text("''"), nullable=False))
        batch_op.add_column(sa.Column("paid", sa.Boolean(), server_default=sa.text("0"), nullable=False))
        batch_op.alter_column("total", new_column_name="amount", existing_type=sa.Integer())
        batch_op.create_index("ix_orders_note", ["note"], unique=False)
        batch_op.drop_column("spare")


def downgrade() -> None:
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("spare", sa.TEXT(), nullable=True))
        batch_op.drop_index("ix_orders_note")
        batch_op.alter_column("amount", new_column_name="total", existing_type=sa.Integer())
        batch_op.drop_column("paid")
        batch_op.drop_column("note")
