"""Where a parcel was."""

import sqlalchemy as sa
from alembic import op

revision = "e5d2b8a4c0f7"
down_revision = "04c9a7f3e6b1"
branch_labels = None
depends_on = ("b83f6e4d1c27",)


def upgrade():
    with op.batch_alter_table("events") as batch_op:
        batch_op.add_column(sa.Column("place", sa.String(60), server_default="depot", nullable=False))
    bind = op.get_bind()
    events = sa.table("events", sa.column("id"), sa.column("detail", sa.JSON(none_as_null=True)), sa.column("place"))
    for id_, detail in bind.execute(sa.select(events.c.id, events.c.detail)).fetchall():
        if detail and "place" in detail:
            bind.execute(sa.update(events).where(events.c.id == id_).values(place=detail.pop("place"), detail=detail))
    op.create_table(
        "places",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("parcels", sa.Integer(), nullable=False),
    )
    bind.execute(sa.text("INSERT INTO places SELECT place, count(*) FROM events GROUP BY place"))


def downgrade():
    op.drop_table("places")
    with op.batch_alter_table("events") as batch_op:
        batch_op.drop_column("place")
