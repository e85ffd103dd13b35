"""Create reports.

A report goes with its dataset, without which it says nothing; it outlives the conversation that asked for it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrator import types

revision: str = "007"
down_revision: str | Sequence[str] | None = "006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "reports",
        sa.Column("id", types.GUID(), nullable=False),
        sa.Column("user_id", types.GUID(), nullable=False),
        sa.Column("dataset_id", types.GUID(), nullable=False),
        sa.Column("conversation_id", types.GUID(), nullable=True),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("status", sa.String(20), server_default="processing", nullable=False),
        sa.Column("report_type", sa.String(20), server_default="standard", nullable=False),
        sa.Column("generated_sql", sa.Text(), nullable=True),
        sa.Column("visualizations", types.JSONDocument(), nullable=True),
        sa.Column("insights", types.JSONDocument(), nullable=True),
        sa.Column("narrative", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_reports_user_id_users"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_reports_dataset_id_datasets"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_reports_conversation_id_conversations"),
            ondelete="SET NULL",
        ),
        sa.CheckConstraint("status IN ('processing', 'completed', 'error')", name=op.f("ck_reports_status")),
        sa.CheckConstraint("report_type IN ('standard', 'executive', 'detailed')", name=op.f("ck_reports_report_type")),
    )
    op.create_index(op.f("ix_reports_user_id"), "reports", ["user_id"])
    op.create_index(op.f("ix_reports_dataset_id"), "reports", ["dataset_id"])
    op.create_index(op.f("ix_reports_conversation_id"), "reports", ["conversation_id"])
    op.create_index(op.f("ix_reports_status"), "reports", ["status"])
    op.create_index(op.f("ix_reports_created_at"), "reports", ["created_at"])


def downgrade() -> None:
    op.drop_table("reports")
