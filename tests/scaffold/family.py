"""One row of every model, and what the database holds of them."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.models import (
    Analysis,
    Base,
    ChatMessage,
    Conversation,
    ConversationSummary,
    Dataset,
    Document,
    Memory,
    Report,
    Section,
    UsageTracking,
    User,
    UserSession,
)

SPELLED = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
IDENTIFIER = uuid.UUID(SPELLED)
TOMORROW = datetime.now(UTC) + timedelta(days=1)
ZONED = datetime(2024, 2, 29, 23, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-5, minutes=-30)))


def family(session: Session) -> dict[str, Any]:
    """Store one valid row of every model, tied together by every foreign key there is, and return them by table."""
    user = User(email="Zoë@example.org")
    dataset = Dataset(user=user, name="sales")
    conversation = Conversation(customer=user, dataset=dataset)
    document = Document(user=user, title="plan")
    rows = [
        user,
        dataset,
        conversation,
        document,
        UsageTracking(user=user, month_year="2024-02"),
        Analysis(user=user, dataset=dataset, title="trend"),
        ChatMessage(conversation=conversation, role="user"),
        ConversationSummary(conversation=conversation, title="sales", summary="about sales"),
        Report(user=user, dataset=dataset, conversation=conversation, query="how much?"),
        UserSession(user=user, token_hash="0" * 64, expires_at=TOMORROW),
        Section(document=document, position=1, heading="one"),
        Memory(user=user, conversation=conversation, content="likes tables"),
    ]
    session.add_all(rows)
    session.commit()
    return {row.__tablename__: row for row in rows}


def stored(session: Session, column: Any) -> Any:
    """Return the one value of a column as the database holds it, by no type of ours."""
    return session.execute(text(f"SELECT {column.name} FROM {column.table.name}")).scalar_one()


def counts(session: Session) -> dict[str, int]:
    """How many rows each table has."""
    return {
        table.name: session.scalar(select(func.count()).select_from(table)) or 0
        for table in Base.metadata.tables.values()
    }
