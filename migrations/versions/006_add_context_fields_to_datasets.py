"""Add the context fields to datasets: context, purpose, source and notes.

What the owner knows about the data, for the assistant to read. Nullable and without a default, so no row is rewritten.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "006"
down_revision: str | Sequence[str] | None = "005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("context", sa.Text(), nullable=True))
    op.add_column("datasets", sa.Column("purpose", sa.Text(), nullable=True))
    op.add_column("datasets", sa.Column("source", sa.String(500), nullable=True))
    op.add_column("datasets", sa.Column("notes", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("datasets", "notes")
    op.drop_column("datasets", "source")
    op.drop_column("datasets", "purpose")
    op.drop_column("datasets", "context")
