"""Questions put to a dataset, and what came of them."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import NOW, Base, Identified, Timestamped, one_of

if TYPE_CHECKING:
    from app.models.datasets import Dataset
    from app.models.users import User


class Analysis(Identified, Timestamped, Base):
    """One run of an analysis. It outlives its dataset."""

    __tablename__ = "analyses"
    __table_args__ = (one_of("status", "pending", "running", "completed", "failed", "cancelled"),)

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    dataset_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("datasets.id", ondelete="SET NULL"), index=True)
    title: Mapped[str] = mapped_column(String(255))
    question: Mapped[str | None] = mapped_column(Text)
    analysis_type: Mapped[str | None] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(20), server_default="pending", index=True)
    config: Mapped[dict[str, Any] | None]
    results: Mapped[dict[str, Any] | None]
    error_message: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW, index=True, sort_order=1)

    user: Mapped["User"] = relationship(back_populates="analyses")
    dataset: Mapped["Dataset | None"] = relationship(back_populates="analyses")
