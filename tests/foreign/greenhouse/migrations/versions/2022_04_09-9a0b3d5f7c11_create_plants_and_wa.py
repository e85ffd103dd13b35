"""Create plants and waterings."""

import sqlalchemy as sa
from alembic import op

revision = "9a0b3d5f7c11"
down_revision = "2f1c7a9be0d4"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "plants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bed_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("height", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["bed_id"], ["beds.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "waterings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plant_id", sa.Integer(), nullable=False),
        sa.Column("litres", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["plant_id"], ["plants.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table("legacy_notes", sa.Column("note", sa.Text()))


def downgrade():
    op.drop_table("legacy_notes")
    op.drop_table("waterings")
    op.drop_table("plants")
