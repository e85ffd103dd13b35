"""Create conversations.

A conversation belongs to a customer, or to the session of a visitor who has no account, or to both.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrator import types

revision: str = "002"
down_revision: str | Sequence[str] | None = "001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", types.GUID(), nullable=False),
        sa.Column("customer_id", types.GUID(), nullable=True),
        sa.Column("session_id", sa.String(64), nullable=True),
        sa.Column("title", sa.String(255), nullable=True),
        sa.Column("dataset_id", types.GUID(), nullable=True),
        sa.Column("metadata", types.JSONDocument(), nullable=True),
        sa.Column("message_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_activity_at", types.UTCDateTime(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["users.id"], name=op.f("fk_conversations_customer_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_conversations_dataset_id_datasets"), ondelete="SET NULL"
        ),
        sa.CheckConstraint(
            "customer_id IS NOT NULL OR session_id IS NOT NULL", name=op.f("ck_conversations_customer_or_session")
        ),
        sa.CheckConstraint("message_count >= 0", name=op.f("ck_conversations_message_count_not_negative")),
    )
    op.create_index(op.f("ix_conversations_customer_id"), "conversations", ["customer_id"])
    op.create_index(op.f("ix_conversations_session_id"), "conversations", ["session_id"])
    op.create_index(op.f("ix_conversations_dataset_id"), "conversations", ["dataset_id"])
    op.create_index(op.f("ix_conversations_last_activity_at"), "conversations", ["last_activity_at"])


def downgrade() -> None:
    op.drop_table("conversations")
