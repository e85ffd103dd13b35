"""A plant has a species; heights are exact."""

import sqlalchemy as sa
from alembic import op

revision = "c4b7f1a2d9e6"
down_revision = "51d6e8f20a3b"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("plants", schema=None) as batch_op:
        batch_op.alter_column(
            "name", new_column_name="species", existing_type=sa.String(length=80), type_=sa.Text(), nullable=False
        )
        batch_op.alter_column("height", existing_type=sa.Float(), type_=sa.Numeric(precision=6, scale=2))


def downgrade():
    with op.batch_alter_table("plants", schema=None) as batch_op:
        batch_op.alter_column("height", existing_type=sa.Numeric(precision=6, scale=2), type_=sa.Float())
        batch_op.alter_column(
            "species", new_column_name="name", existing_type=sa.Text(), type_=sa.String(length=80), nullable=False
        )
