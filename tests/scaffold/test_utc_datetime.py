"""UTCDateTime: a moment in UTC, whatever the zone it was given in."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, literal_column, select, text, update
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from app.models import (
    Conversation,
)
from tests.scaffold.family import ZONED


@pytest.mark.parametrize(
    "moment",
    [
        ZONED,
        ZONED.astimezone(UTC),
        datetime(2024, 3, 1, 5, 0, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_a_moment_comes_back_as_the_same_one_in_utc(session: Session, moment: datetime) -> None:
    conversation = Conversation(session_id="visitor", last_activity_at=moment)
    session.add(conversation)
    session.commit()
    session.refresh(conversation)
    assert conversation.last_activity_at == moment
    assert conversation.last_activity_at is not None
    assert conversation.last_activity_at.tzinfo is UTC
    assert session.scalar(select(Conversation.id).where(Conversation.last_activity_at == moment)) == conversation.id


def test_a_moment_is_utc_whatever_the_zone_of_the_connection(session: Session, engine: Engine) -> None:
    if engine.dialect.name == "postgresql":
        session.execute(text("SET TIME ZONE 'Asia/Kathmandu'"))
    conversation = Conversation(session_id="visitor", last_activity_at=ZONED)
    session.add(conversation)
    session.flush()
    session.refresh(conversation)
    assert conversation.last_activity_at == ZONED
    assert conversation.last_activity_at is not None
    assert conversation.last_activity_at.tzinfo is UTC
    assert abs(datetime.now(UTC) - conversation.created_at) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("refused", "complaint"),
    [
        (datetime(2024, 2, 29, 12, 0), "ValueError.*naive datetime"),
        (date(2024, 2, 29), "TypeError.*not date"),
        ("2024-02-29 12:00:00+00:00", "TypeError.*not str"),
        (0, "TypeError.*not int"),
    ],
)
def test_a_moment_without_its_zone_is_refused(session: Session, refused: Any, complaint: str) -> None:
    session.add(Conversation(session_id="visitor", last_activity_at=refused))
    with pytest.raises(StatementError, match=complaint):
        session.flush()


def test_a_moment_of_the_servers_sorts_among_those_of_the_application(session: Session) -> None:
    conversation = Conversation(session_id="visitor")
    session.add(conversation)
    session.flush()
    session.execute(update(Conversation).values(last_activity_at=literal_column("CURRENT_TIMESTAMP")))
    session.refresh(conversation)
    moment = conversation.last_activity_at
    assert moment is not None
    for criterion, expected in [
        (Conversation.last_activity_at == moment, 1),
        (Conversation.last_activity_at >= moment, 1),
        (Conversation.last_activity_at < moment + timedelta(microseconds=1), 1),
        (Conversation.last_activity_at > moment, 0),
        (Conversation.last_activity_at < moment, 0),
    ]:
        assert session.scalar(select(func.count()).select_from(Conversation).where(criterion)) == expected
