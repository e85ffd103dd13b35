"""Signed-in sessions."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import ADDED, Base, Created, Identified, one_of

if TYPE_CHECKING:
    from app.models.users import User


class UserSession(Identified, Created, Base):
    """A user's session on one device. Only a hash of its token is kept."""

    __tablename__ = "user_sessions"
    __table_args__ = (
        one_of("status", "active", "expired", "revoked"),
        UniqueConstraint("token_hash"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64))
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(Text)
    last_seen_at: Mapped[datetime | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(String(20), server_default="active", index=True, sort_order=ADDED)

    user: Mapped["User"] = relationship(back_populates="sessions")
