"""Written reports on a dataset."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import NOW, Base, Identified, Timestamped, one_of

if TYPE_CHECKING:
    from app.models.conversations import Conversation
    from app.models.datasets import Dataset
    from app.models.users import User


class Report(Identified, Timestamped, Base):
    """A report, from the question to the Markdown of its narrative. It goes with its dataset."""

    __tablename__ = "reports"
    __table_args__ = (
        one_of("status", "processing", "completed", "error"),
        one_of("report_type", "standard", "executive", "detailed"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    dataset_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"), index=True)
    conversation_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("conversations.id", ondelete="SET NULL"), index=True
    )
    query: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), server_default="processing", index=True)
    report_type: Mapped[str] = mapped_column(String(20), server_default="standard")
    generated_sql: Mapped[str | None] = mapped_column(Text)
    visualizations: Mapped[list[Any] | None]
    insights: Mapped[list[Any] | None]
    narrative: Mapped[str | None] = mapped_column(Text)
    error_message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW, index=True, sort_order=1)

    user: Mapped["User"] = relationship(back_populates="reports")
    dataset: Mapped["Dataset"] = relationship(back_populates="reports")
    conversation: Mapped["Conversation | None"] = relationship(back_populates="reports")
