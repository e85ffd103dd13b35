"""Create the core tables: users, usage_tracking, datasets and analyses.

Everything later refers to these four. An email address is one person's in any spelling, which takes an index on an
expression; the CHECK on a month's form keeps to functions that SQLite and PostgreSQL share.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrator import types

revision: str = "001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    create_users()
    create_usage_tracking()
    create_datasets()
    create_analyses()


def downgrade() -> None:
    op.drop_table("analyses")
    op.drop_table("datasets")
    op.drop_table("usage_tracking")
    op.drop_table("users")


def create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", types.GUID(), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("display_name", sa.String(200), nullable=True),
        sa.Column("password_hash", sa.String(255), nullable=True),
        sa.Column("tier", sa.String(20), server_default="free", nullable=False),
        sa.Column("stripe_customer_id", sa.String(255), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.CheckConstraint("tier IN ('free', 'pro', 'team', 'enterprise')", name=op.f("ck_users_tier")),
    )
    op.create_index(op.f("ix_users_email"), "users", ["email"])
    op.create_index(op.f("ix_users_tier"), "users", ["tier"])
    op.create_index(op.f("ix_users_stripe_customer_id"), "users", ["stripe_customer_id"], unique=True)
    op.create_index("uq_users_email_lower", "users", [sa.text("lower(email)")], unique=True)


def create_usage_tracking() -> None:
    op.create_table(
        "usage_tracking",
        sa.Column("id", types.GUID(), nullable=False),
        sa.Column("user_id", types.GUID(), nullable=False),
        sa.Column("month_year", sa.String(7), nullable=False),
        sa.Column("datasets_uploaded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("analyses_run", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reports_generated", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("chat_messages_sent", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("storage_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tokens_used", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_tracking")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_usage_tracking_user_id_users"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("user_id", "month_year", name=op.f("uq_usage_tracking_user_id_month_year")),
        sa.CheckConstraint(
            "month_year LIKE '____-__' AND ltrim(substr(month_year, 1, 4), '0123456789') = ''"
            " AND substr(month_year, 6, 2) IN"
            " ('01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11', '12')",
            name=op.f("ck_usage_tracking_month_year"),
        ),
        sa.CheckConstraint("datasets_uploaded >= 0", name=op.f("ck_usage_tracking_datasets_uploaded_not_negative")),
        sa.CheckConstraint("analyses_run >= 0", name=op.f("ck_usage_tracking_analyses_run_not_negative")),
        sa.CheckConstraint("reports_generated >= 0", name=op.f("ck_usage_tracking_reports_generated_not_negative")),
        sa.CheckConstraint("chat_messages_sent >= 0", name=op.f("ck_usage_tracking_chat_messages_sent_not_negative")),
        sa.CheckConstraint("storage_bytes >= 0", name=op.f("ck_usage_tracking_storage_bytes_not_negative")),
        sa.CheckConstraint("tokens_used >= 0", name=op.f("ck_usage_tracking_tokens_used_not_negative")),
    )
    op.create_index(op.f("ix_usage_tracking_user_id"), "usage_tracking", ["user_id"])
    op.create_index(op.f("ix_usage_tracking_month_year"), "usage_tracking", ["month_year"])


def create_datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", types.GUID(), nullable=False),
        sa.Column("user_id", types.GUID(), nullable=False),
        sa.Column("connection_id", types.GUID(), nullable=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("file_name", sa.String(255), nullable=True),
        sa.Column("file_format", sa.String(20), nullable=True),
        sa.Column("storage_path", sa.String(1024), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("row_count", sa.BigInteger(), nullable=True),
        sa.Column("column_count", sa.Integer(), nullable=True),
        sa.Column("columns", types.JSONDocument(), nullable=True),
        sa.Column("created_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_datasets_user_id_users"), ondelete="CASCADE"),
    )
    op.create_index(op.f("ix_datasets_user_id"), "datasets", ["user_id"])
    op.create_index(op.f("ix_datasets_connection_id"), "datasets", ["connection_id"])
    op.create_index(op.f("ix_datasets_created_at"), "datasets", ["created_at"])


def create_analyses() -> None:
    op.create_table(
        "analyses",
        sa.Column("id", types.GUID(), nullable=False),
        sa.Column("user_id", types.GUID(), nullable=False),
        sa.Column("dataset_id", types.GUID(), nullable=True),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("question", sa.Text(), nullable=True),
        sa.Column("analysis_type", sa.String(50), nullable=True),
        sa.Column("status", sa.String(20), server_default="pending", nullable=False),
        sa.Column("config", types.JSONDocument(), nullable=True),
        sa.Column("results", types.JSONDocument(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("started_at", types.UTCDateTime(), nullable=True),
        sa.Column("completed_at", types.UTCDateTime(), nullable=True),
        sa.Column("created_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analyses")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_analyses_user_id_users"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_analyses_dataset_id_datasets"), ondelete="SET NULL"
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'running', 'completed', 'failed', 'cancelled')", name=op.f("ck_analyses_status")
        ),
    )
    op.create_index(op.f("ix_analyses_user_id"), "analyses", ["user_id"])
    op.create_index(op.f("ix_analyses_dataset_id"), "analyses", ["dataset_id"])
    op.create_index(op.f("ix_analyses_status"), "analyses", ["status"])
    op.create_index(op.f("ix_analyses_created_at"), "analyses", ["created_at"])
