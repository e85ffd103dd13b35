"""Movements are moved to the schema of the rest."""

import sqlalchemy as sa
from alembic import op

revision = "aa04"
down_revision = "aa03"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE audit.movements SET SCHEMA stock")
    op.rename_table("movements", "moves", schema="stock")
    op.create_table(
        "archive", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("move", sa.JSON()), schema="audit"
    )
    op.execute("INSERT INTO audit.archive SELECT id, to_json(moves) FROM moves WHERE quantity < 0")
    op.execute("DELETE FROM stock.moves WHERE quantity < 0")


def downgrade():
    op.execute(
        "INSERT INTO stock.moves SELECT r.* FROM audit.archive, json_populate_record(NULL::stock.moves, move) AS r"
    )
    op.drop_table("archive", schema="audit")
    op.rename_table("moves", "movements", schema="stock")
    op.execute("ALTER TABLE stock.movements SET SCHEMA audit")
