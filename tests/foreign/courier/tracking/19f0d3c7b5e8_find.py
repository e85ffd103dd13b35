"""Find events by their place while parcels go on."""

import sqlalchemy as sa
from alembic import op

revision = "19f0d3c7b5e8"
down_revision = "e5d2b8a4c0f7"
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_events_place", "events", ["place"], postgresql_concurrently=True, if_not_exists=True)
    with op.batch_alter_table("events") as batch_op:
        batch_op.alter_column("detail", new_column_name="details", existing_type=sa.JSON())


def downgrade():
    with op.batch_alter_table("events") as batch_op:
        batch_op.alter_column("details", new_column_name="detail", existing_type=sa.JSON())
    with op.get_context().autocommit_block():
        op.drop_index("ix_events_place", table_name="events", postgresql_concurrently=True, if_exists=True)
