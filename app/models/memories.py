"""What the assistant remembers about a user."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Identified, Timestamped, one_of

if TYPE_CHECKING:
    from app.models.conversations import Conversation
    from app.models.users import User


class Memory(Identified, Timestamped, Base):
    """A fact, a preference or a summary. It outlives the conversation that it was learnt in."""

    __tablename__ = "memories"
    __table_args__ = (
        one_of("kind", "fact", "preference", "summary"),
        CheckConstraint("importance >= 0 AND importance <= 1", name="importance_range"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    conversation_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("conversations.id", ondelete="SET NULL"), index=True
    )
    kind: Mapped[str] = mapped_column(String(30), server_default="fact")
    content: Mapped[str] = mapped_column(Text)
    importance: Mapped[float | None] = mapped_column(Float)
    extra: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    last_used_at: Mapped[datetime | None]

    user: Mapped["User"] = relationship(back_populates="memories")
    conversation: Mapped["Conversation | None"] = relationship(back_populates="memories")
