"""Data that a user has uploaded, or reads through a connection."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import ADDED, NOW, Base, Identified, Timestamped

if TYPE_CHECKING:
    from app.models.analyses import Analysis
    from app.models.conversations import Conversation
    from app.models.reports import Report
    from app.models.users import User


class Dataset(Identified, Timestamped, Base):
    """A table of data. Its reports go with it; analyses and conversations stay, and forget it."""

    __tablename__ = "datasets"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # An external source of data; the table of those is still to come, so there is nothing to refer to.
    connection_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    file_name: Mapped[str | None] = mapped_column(String(255))
    file_format: Mapped[str | None] = mapped_column(String(20))
    storage_path: Mapped[str | None] = mapped_column(String(1024))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    row_count: Mapped[int | None] = mapped_column(BigInteger)
    column_count: Mapped[int | None]
    columns: Mapped[list[Any] | None]
    context: Mapped[str | None] = mapped_column(Text, sort_order=ADDED)
    purpose: Mapped[str | None] = mapped_column(Text, sort_order=ADDED)
    source: Mapped[str | None] = mapped_column(String(500), sort_order=ADDED)
    notes: Mapped[str | None] = mapped_column(Text, sort_order=ADDED)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW, index=True, sort_order=1)

    user: Mapped["User"] = relationship(back_populates="datasets")
    analyses: Mapped[list["Analysis"]] = relationship(back_populates="dataset", passive_deletes=True)
    conversations: Mapped[list["Conversation"]] = relationship(back_populates="dataset", passive_deletes=True)
    reports: Mapped[list["Report"]] = relationship(
        back_populates="dataset", cascade="all, delete-orphan", passive_deletes=True
    )
