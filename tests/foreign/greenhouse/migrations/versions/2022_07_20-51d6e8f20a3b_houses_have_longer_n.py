"""Houses have longer names and a climate."""

import sqlalchemy as sa
from alembic import op

revision = "51d6e8f20a3b"
down_revision = "9a0b3d5f7c11"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("houses", schema=None) as batch_op:
        batch_op.add_column(sa.Column("climate", sa.JSON(), server_default="{}", nullable=False))
        batch_op.alter_column(
            "name", existing_type=sa.String(length=50), type_=sa.String(length=120), existing_nullable=False
        )


def downgrade():
    with op.batch_alter_table("houses", schema=None) as batch_op:
        batch_op.alter_column(
            "name", existing_type=sa.String(length=120), type_=sa.String(length=50), existing_nullable=False
        )
        batch_op.drop_column("climate")
