"""Events of a parcel."""

import sqlalchemy as sa
from alembic import op

revision = "04c9a7f3e6b1"
down_revision = None
branch_labels = ("tracking",)
depends_on = "7e1d0c5b2a90"


def upgrade():
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("parcel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name="fk_events_parcels", ondelete="CASCADE"),
    )
    op.create_index("ix_events_at", "events", [sa.text("parcel_id"), sa.text("at DESC")])


def downgrade():
    op.drop_index("ix_events_at", table_name="events")
    op.drop_table("events")
