"""Talks with the assistant, by a customer or by a visitor without an account."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import TRUE, ZERO, Base, Identified, Timestamped, not_negative

if TYPE_CHECKING:
    from app.models.datasets import Dataset
    from app.models.memories import Memory
    from app.models.messages import ChatMessage
    from app.models.reports import Report
    from app.models.summaries import ConversationSummary
    from app.models.users import User


class Conversation(Identified, Timestamped, Base):
    """A conversation has a customer, a visitor's session, or both: a visitor may become a customer on the way.

    Its messages and its summary go with it; reports and memories stay, and forget it.
    """

    __tablename__ = "conversations"
    __table_args__ = (
        CheckConstraint("customer_id IS NOT NULL OR session_id IS NOT NULL", name="customer_or_session"),
        not_negative("message_count"),
    )

    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[str | None] = mapped_column(String(64), index=True)
    title: Mapped[str | None] = mapped_column(String(255))
    dataset_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("datasets.id", ondelete="SET NULL"), index=True)
    extra: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    message_count: Mapped[int] = mapped_column(server_default=ZERO)
    last_activity_at: Mapped[datetime | None] = mapped_column(index=True)
    is_active: Mapped[bool] = mapped_column(server_default=TRUE)

    customer: Mapped["User | None"] = relationship(back_populates="conversations")
    dataset: Mapped["Dataset | None"] = relationship(back_populates="conversations")
    messages: Mapped[list["ChatMessage"]] = relationship(
        back_populates="conversation",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="ChatMessage.created_at",
    )
    summary: Mapped["ConversationSummary | None"] = relationship(
        back_populates="conversation", cascade="all, delete-orphan", passive_deletes=True
    )
    reports: Mapped[list["Report"]] = relationship(back_populates="conversation", passive_deletes=True)
    memories: Mapped[list["Memory"]] = relationship(back_populates="conversation", passive_deletes=True)
