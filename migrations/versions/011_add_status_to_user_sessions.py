"""Add status to user_sessions, filled from expires_at.

A session that is past its time becomes 'expired', every other 'active'. The column is one statement that both databases
take as it stands: with the CHECK on the column itself SQLite needs no rebuild, neither to add it nor to drop it.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "011"
down_revision: str | Sequence[str] | None = "010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

STATUS_INDEX = "ix_user_sessions_status"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE user_sessions ADD COLUMN status VARCHAR(20) DEFAULT 'active' NOT NULL"
        " CONSTRAINT ck_user_sessions_status CHECK (status IN ('active', 'expired', 'revoked'))"
    )
    op.execute("UPDATE user_sessions SET status = 'expired' WHERE expires_at < CURRENT_TIMESTAMP")
    op.create_index(STATUS_INDEX, "user_sessions", ["status"])


def downgrade() -> None:
    # SQLite drops no column that an index still names; the CHECK goes with the column on both.
    op.drop_index(STATUS_INDEX, table_name="user_sessions")
    with op.batch_alter_table("user_sessions") as batch:
        batch.drop_column("status")
