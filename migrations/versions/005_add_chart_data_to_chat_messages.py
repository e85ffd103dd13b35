"""Add chart_data to chat_messages.

A message can carry the chart that the assistant drew. Nullable and without a default, so no row is rewritten.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrator import types

revision: str = "005"
down_revision: str | Sequence[str] | None = "004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("chat_messages", sa.Column("chart_data", types.JSONDocument(), nullable=True))


def downgrade() -> None:
    op.drop_column("chat_messages", "chart_data")
