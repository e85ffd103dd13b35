"""What a user has used up, month by month."""

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import ZERO, Base, Identified, Timestamped, not_negative

if TYPE_CHECKING:
    from app.models.users import User


class UsageTracking(Identified, Timestamped, Base):
    """The counters of one user in one month; there is at most one row for the two."""

    __tablename__ = "usage_tracking"
    __table_args__ = (
        # 'YYYY-MM', in words that both databases know: neither shares a regular expression with the other.
        CheckConstraint(
            "month_year LIKE '____-__' AND ltrim(substr(month_year, 1, 4), '0123456789') = ''"
            " AND substr(month_year, 6, 2) IN"
            " ('01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11', '12')",
            name="month_year",
        ),
        not_negative("datasets_uploaded"),
        not_negative("analyses_run"),
        not_negative("reports_generated"),
        not_negative("chat_messages_sent"),
        not_negative("storage_bytes"),
        not_negative("tokens_used"),
        UniqueConstraint("user_id", "month_year"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    month_year: Mapped[str] = mapped_column(String(7), index=True)
    datasets_uploaded: Mapped[int] = mapped_column(Integer, server_default=ZERO)
    analyses_run: Mapped[int] = mapped_column(Integer, server_default=ZERO)
    reports_generated: Mapped[int] = mapped_column(Integer, server_default=ZERO)
    chat_messages_sent: Mapped[int] = mapped_column(Integer, server_default=ZERO)
    storage_bytes: Mapped[int] = mapped_column(BigInteger, server_default=ZERO)
    tokens_used: Mapped[int] = mapped_column(BigInteger, server_default=ZERO)

    user: Mapped["User"] = relationship(back_populates="usage")
