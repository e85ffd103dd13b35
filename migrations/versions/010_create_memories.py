"""Create memories.

What the assistant remembers about a user outlives the conversation in which it learnt it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrator import types

revision: str = "010"
down_revision: str | Sequence[str] | None = "009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "memories",
        sa.Column("id", types.GUID(), nullable=False),
        sa.Column("user_id", types.GUID(), nullable=False),
        sa.Column("conversation_id", types.GUID(), nullable=True),
        sa.Column("kind", sa.String(30), server_default="fact", nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("importance", sa.Float(), nullable=True),
        sa.Column("metadata", types.JSONDocument(), nullable=True),
        sa.Column("last_used_at", types.UTCDateTime(), nullable=True),
        sa.Column("created_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memories")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memories_user_id_users"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_memories_conversation_id_conversations"),
            ondelete="SET NULL",
        ),
        sa.CheckConstraint("kind IN ('fact', 'preference', 'summary')", name=op.f("ck_memories_kind")),
        sa.CheckConstraint("importance >= 0 AND importance <= 1", name=op.f("ck_memories_importance_range")),
    )
    op.create_index(op.f("ix_memories_user_id"), "memories", ["user_id"])
    op.create_index(op.f("ix_memories_conversation_id"), "memories", ["conversation_id"])


def downgrade() -> None:
    op.drop_table("memories")
