"""Conversations in a few words."""

import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Identified, Timestamped

if TYPE_CHECKING:
    from app.models.conversations import Conversation


class ConversationSummary(Identified, Timestamped, Base):
    """The summary of a conversation, one at most. `quality` holds the measures taken of it."""

    __tablename__ = "conversation_summaries"
    __table_args__ = (UniqueConstraint("conversation_id"),)

    conversation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(120))
    summary: Mapped[str] = mapped_column(Text)
    quality: Mapped[dict[str, Any] | None]
    model: Mapped[str | None] = mapped_column(String(100))

    conversation: Mapped["Conversation"] = relationship(back_populates="summary")
