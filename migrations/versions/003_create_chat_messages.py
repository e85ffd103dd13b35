"""Create chat_messages.

One index serves the reading of a conversation in order and, by its first column, the foreign key.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrator import types

revision: str = "003"
down_revision: str | Sequence[str] | None = "002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "chat_messages",
        sa.Column("id", types.GUID(), nullable=False),
        sa.Column("conversation_id", types.GUID(), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("content", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("tool_calls", types.JSONDocument(), nullable=True),
        sa.Column("sql_query", sa.Text(), nullable=True),
        sa.Column("sql_results", types.JSONDocument(), nullable=True),
        sa.Column("calculations", types.JSONDocument(), nullable=True),
        sa.Column("metadata", types.JSONDocument(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_messages")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_chat_messages_conversation_id_conversations"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("role IN ('system', 'user', 'assistant', 'tool')", name=op.f("ck_chat_messages_role")),
    )
    op.create_index(
        op.f("ix_chat_messages_conversation_id_created_at"), "chat_messages", ["conversation_id", "created_at"]
    )


def downgrade() -> None:
    op.drop_table("chat_messages")
