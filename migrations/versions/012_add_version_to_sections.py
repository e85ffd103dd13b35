"""Add version to sections.

Every section that exists is at its first version. One statement for both databases, with the CHECK on the column itself:
SQLite needs no rebuild, neither to add the column nor to drop it.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "012"
down_revision: str | Sequence[str] | None = "011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE sections ADD COLUMN version INTEGER DEFAULT 1 NOT NULL"
        " CONSTRAINT ck_sections_version_positive CHECK (version >= 1)"
    )


def downgrade() -> None:
    with op.batch_alter_table("sections") as batch:
        batch.drop_column("version")
