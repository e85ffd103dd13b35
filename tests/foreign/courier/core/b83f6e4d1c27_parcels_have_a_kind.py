"""Parcels have a kind."""

import sqlalchemy as sa
from alembic import op

revision = "b83f6e4d1c27"
down_revision = "7e1d0c5b2a90"
branch_labels = None
depends_on = None


KIND = sa.Enum("letter", "box", name="parcel_kind")


def upgrade():
    KIND.create(op.get_bind(), checkfirst=True)
    with op.batch_alter_table("parcels") as batch_op:
        batch_op.add_column(sa.Column("kind", KIND, nullable=True))
    parcels = sa.table("parcels", sa.column("kind", KIND), sa.column("weight", sa.Numeric))
    op.get_bind().execute(
        parcels.update().values(kind=sa.case((parcels.c.weight < 1, "letter"), else_="box").cast(KIND))
    )
    with op.batch_alter_table("parcels") as batch_op:
        batch_op.alter_column("kind", existing_type=KIND, nullable=False)


def downgrade():
    with op.batch_alter_table("parcels") as batch_op:
        batch_op.drop_column("kind")
    KIND.drop(op.get_bind(), checkfirst=True)
