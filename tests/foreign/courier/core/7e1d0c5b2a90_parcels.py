"""Parcels."""

import sqlalchemy as sa
from alembic import op

revision = "7e1d0c5b2a90"
down_revision = None
branch_labels = ("core",)
depends_on = None


def upgrade():
    op.create_table(
        "parcels",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("code", sa.Uuid(), nullable=False, unique=True),
        sa.Column("weight", sa.Numeric(8, 3), nullable=False),
        sa.Column("sent", sa.Date(), nullable=True),
    )


def downgrade():
    op.drop_table("parcels")
