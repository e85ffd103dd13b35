"""What was said in a conversation, and what the assistant computed for it."""

import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import ADDED, TRUE, Base, Created, Identified, one_of

if TYPE_CHECKING:
    from app.models.conversations import Conversation


class ChatMessage(Identified, Created, Base):
    """One message. `is_active` false is a soft delete: the row stays, the application hides it."""

    __tablename__ = "chat_messages"
    __table_args__ = (
        one_of("role", "system", "user", "assistant", "tool"),
        # Serves the foreign key too, whose column comes first.
        Index(None, "conversation_id", "created_at"),
    )

    conversation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(20))
    content: Mapped[str] = mapped_column(Text, server_default=text("''"))
    tool_calls: Mapped[list[Any] | None]
    sql_query: Mapped[str | None] = mapped_column(Text)
    sql_results: Mapped[list[Any] | None]
    calculations: Mapped[dict[str, Any] | None]
    chart_data: Mapped[dict[str, Any] | None] = mapped_column(sort_order=ADDED)
    extra: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    is_active: Mapped[bool] = mapped_column(server_default=TRUE)

    conversation: Mapped["Conversation"] = relationship(back_populates="messages")
