"""Documents that a user keeps, and the sections they are made of."""

import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import ADDED, Base, Identified, Timestamped, one_of

if TYPE_CHECKING:
    from app.models.users import User


class Document(Identified, Timestamped, Base):
    """A note, a product requirements document or an upload. Its sections go with it."""

    __tablename__ = "documents"
    __table_args__ = (one_of("kind", "note", "prd", "upload"),)

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(30), server_default="note")
    extra: Mapped[dict[str, Any] | None] = mapped_column("metadata")

    user: Mapped["User"] = relationship(back_populates="documents")
    sections: Mapped[list["Section"]] = relationship(
        back_populates="document", cascade="all, delete-orphan", passive_deletes=True, order_by="Section.position"
    )


class Section(Identified, Timestamped, Base):
    """A section, at its own position in its document; `version` counts its wordings."""

    __tablename__ = "sections"
    __table_args__ = (
        # Serves the foreign key too, whose column comes first.
        UniqueConstraint("document_id", "position"),
        CheckConstraint("version >= 1", name="version_positive"),
    )

    document_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    position: Mapped[int]
    heading: Mapped[str] = mapped_column(String(255))
    body: Mapped[str] = mapped_column(Text, server_default=text("''"))
    version: Mapped[int] = mapped_column(server_default=text("1"), sort_order=ADDED)

    document: Mapped["Document"] = relationship(back_populates="sections")
