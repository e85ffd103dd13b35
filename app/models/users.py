"""People with an account."""

from typing import TYPE_CHECKING

from sqlalchemy import Index, String, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import TRUE, Base, Identified, Timestamped, one_of

if TYPE_CHECKING:
    from app.models.analyses import Analysis
    from app.models.conversations import Conversation
    from app.models.datasets import Dataset
    from app.models.documents import Document
    from app.models.memories import Memory
    from app.models.reports import Report
    from app.models.sessions import UserSession
    from app.models.usage import UsageTracking


class User(Identified, Timestamped, Base):
    """A customer. Everything that belongs to one goes with it when the row is deleted, by the database."""

    __tablename__ = "users"
    __table_args__ = (one_of("tier", "free", "pro", "team", "enterprise"),)

    email: Mapped[str] = mapped_column(String(320), index=True)
    display_name: Mapped[str | None] = mapped_column(String(200))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    tier: Mapped[str] = mapped_column(String(20), server_default="free", index=True)
    stripe_customer_id: Mapped[str | None] = mapped_column(String(255), unique=True, index=True)
    is_active: Mapped[bool] = mapped_column(server_default=TRUE)

    usage: Mapped[list["UsageTracking"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    datasets: Mapped[list["Dataset"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    analyses: Mapped[list["Analysis"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    conversations: Mapped[list["Conversation"]] = relationship(
        back_populates="customer", cascade="all", passive_deletes=True
    )
    reports: Mapped[list["Report"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    sessions: Mapped[list["UserSession"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    documents: Mapped[list["Document"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    memories: Mapped[list["Memory"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )


# An address is one person's in any spelling; the plain index on `email` still serves a search by the exact one.
Index("uq_users_email_lower", func.lower(User.email), unique=True)
