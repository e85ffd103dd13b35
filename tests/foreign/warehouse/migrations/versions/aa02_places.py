"""Places, by the project's own names."""

import sqlalchemy as sa
from alembic import op

revision = "aa02"
down_revision = "aa01"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "places",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("name <> ''", name="named"),
        sa.ForeignKeyConstraint(["parent_id"], ["places.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", "parent_id"),
    )
    op.bulk_insert(
        sa.table("places", sa.column("name"), sa.column("parent_id")),
        [{"name": "hall", "parent_id": None}, {"name": "shelf", "parent_id": 1}],
    )
    with op.batch_alter_table("movements", schema="audit") as batch_op:
        batch_op.add_column(sa.Column("place_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(None, "places", ["place_id"], ["id"], referent_schema="stock")
        batch_op.create_index(batch_op.f("ix_audit_movements_place_id"), ["place_id"], unique=False)
    op.execute("UPDATE audit.movements SET place_id = (SELECT min(id) FROM places)")


def downgrade():
    with op.batch_alter_table("movements", schema="audit") as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_movements_place_id"))
        batch_op.drop_constraint(batch_op.f("fk_movements_place_id_places"), type_="foreignkey")
        batch_op.drop_column("place_id")
    op.drop_table("places")
