"""The models say and do the same on SQLite and on PostgreSQL."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, inspect, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, configure_mappers

from app.database import make_sessions
from app.models import (
    Analysis,
    Base,
    Conversation,
    Dataset,
    Memory,
    Report,
    User,
)
from tests.scaffold.family import counts, family


def test_every_model_is_stored_and_read_back(engine: Engine) -> None:
    configure_mappers()
    sessions = make_sessions(engine)
    with sessions() as session:
        rows = family(session)
        assert set(rows) == set(Base.metadata.tables)
        assert set(counts(session).values()) == {1}
    with sessions() as session:
        for row in rows.values():
            again = session.get_one(type(row), row.id)
            for attribute in inspect(type(row)).column_attrs:
                assert getattr(again, attribute.key) == getattr(row, attribute.key)


def test_both_sides_of_every_relationship_find_each_other() -> None:
    for mapper in Base.registry.mappers:
        for relationship in mapper.relationships:
            assert relationship.back_populates, relationship
            other = relationship.mapper.relationships[relationship.back_populates]
            assert other.back_populates == relationship.key


def test_a_foreign_key_acts_in_the_database_not_in_the_session(session: Session) -> None:
    rows = family(session)
    session.delete(rows["users"])
    session.commit()
    assert set(counts(session).values()) == {0}


def test_deleting_a_user_by_statement_takes_everything_of_theirs(session: Session) -> None:
    family(session)
    session.execute(delete(User))
    assert set(counts(session).values()) == {0}


def test_deleting_a_dataset_takes_its_reports_and_is_forgotten_by_the_rest(session: Session) -> None:
    rows = family(session)
    session.execute(delete(Dataset))
    session.expire_all()
    left = counts(session)
    assert {table for table, count in left.items() if count == 0} == {"datasets", "reports"}
    assert rows["analyses"].dataset_id is None
    assert rows["conversations"].dataset_id is None


def test_deleting_a_conversation_takes_its_messages_and_is_forgotten_by_the_rest(session: Session) -> None:
    rows = family(session)
    session.execute(delete(Conversation))
    session.expire_all()
    left = counts(session)
    gone = {"conversations", "chat_messages", "conversation_summaries"}
    assert {table for table, count in left.items() if count == 0} == gone
    assert rows["reports"].conversation_id is None
    assert rows["memories"].conversation_id is None


@pytest.mark.parametrize(
    ("model", "kept"),
    [(Dataset, Analysis), (Dataset, Conversation), (Conversation, Report), (Conversation, Memory)],
)
def test_deleting_through_the_orm_keeps_what_the_database_keeps(
    session: Session, model: type[Base], kept: type[Base]
) -> None:
    rows = family(session)
    session.delete(rows[model.__tablename__])
    session.commit()
    assert counts(session)[kept.__tablename__] == 1


def test_a_row_that_refers_to_nothing_is_refused(session: Session) -> None:
    session.add(Dataset(user_id=uuid.uuid4(), name="orphan"))
    with pytest.raises(IntegrityError):
        session.commit()


def test_the_server_fills_in_its_defaults(session: Session) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    rows = family(session)
    session.expire_all()
    assert (rows["users"].tier, rows["users"].is_active) == ("free", True)
    assert rows["analyses"].status == "pending"
    assert (rows["reports"].status, rows["reports"].report_type) == ("processing", "standard")
    assert rows["user_sessions"].status == "active"
    assert (rows["documents"].kind, rows["memories"].kind) == ("note", "fact")
    assert (rows["chat_messages"].content, rows["sections"].body) == ("", "")
    assert (rows["chat_messages"].is_active, rows["conversations"].is_active) == (True, True)
    assert (rows["conversations"].message_count, rows["sections"].version) == (0, 1)
    usage = rows["usage_tracking"]
    assert (usage.datasets_uploaded, usage.analyses_run, usage.reports_generated) == (0, 0, 0)
    assert (usage.chat_messages_sent, usage.storage_bytes, usage.tokens_used) == (0, 0, 0)
    for row in rows.values():
        assert before <= row.created_at <= datetime.now(UTC) + timedelta(minutes=1)
        assert row.created_at.tzinfo is UTC


def test_an_update_moves_updated_at_and_leaves_created_at(session: Session) -> None:
    user = family(session)["users"]
    session.execute(update(User).values(updated_at=datetime(2020, 1, 1, tzinfo=UTC)))
    session.refresh(user)
    created = user.created_at
    user.display_name = "Zoë"
    session.commit()
    session.refresh(user)
    assert user.updated_at.year > 2020
    assert user.created_at == created
