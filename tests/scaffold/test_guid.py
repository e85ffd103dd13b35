"""GUID: a UUID in Python, `uuid` on PostgreSQL, text on SQLite."""

import uuid
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from app.models import (
    Dataset,
    User,
)
from tests.scaffold.family import IDENTIFIER, SPELLED, family, stored


@pytest.mark.parametrize("spelling", [IDENTIFIER, SPELLED, SPELLED.upper(), IDENTIFIER.hex, f"{{{SPELLED}}}"])
def test_a_guid_takes_a_uuid_or_its_text_and_gives_a_uuid(session: Session, spelling: uuid.UUID | str) -> None:
    session.execute(insert(User).values(id=spelling, email="a@example.org"))
    assert session.scalar(select(User.id)) == IDENTIFIER
    assert session.scalar(select(User.id).where(User.id == spelling)) == IDENTIFIER
    assert session.scalar(select(User.id).where(User.id.in_([spelling]))) == IDENTIFIER
    assert str(stored(session, User.__table__.c.id)) == SPELLED


def test_a_guid_in_text_is_the_same_row_to_the_session(session: Session) -> None:
    users = [User(id=str(uuid.uuid4()).upper(), email=f"{n}@example.org") for n in range(3)]
    session.add_all(users)
    session.flush()
    assert all(type(user.id) is uuid.UUID for user in users)
    assert set(session.scalars(select(User))) == set(users)
    assert session.get(User, users[0].id) is users[0]


@pytest.mark.parametrize(
    ("garbage", "complaint"),
    [
        ("garbage", r"ValueError.*this str is not one: 'garbage'"),
        ("", "ValueError.*str"),
        (SPELLED[:-1], "ValueError.*str"),
        (42, "TypeError.*not int"),
        (True, "TypeError.*not bool"),
        (IDENTIFIER.bytes, "TypeError.*not bytes"),
        ([SPELLED], "TypeError.*not list"),
    ],
)
def test_a_guid_refuses_anything_else_and_names_its_type(session: Session, garbage: Any, complaint: str) -> None:
    with pytest.raises(StatementError, match=complaint):
        session.scalar(select(User).where(User.id == bindparam("id", garbage, User.id.type)))
    session.add(Dataset(user_id=garbage, name="sales"))
    with pytest.raises(StatementError, match=complaint):
        session.flush()


def test_a_guid_may_be_absent(session: Session) -> None:
    dataset = family(session)["datasets"]
    assert dataset.connection_id is None
    dataset.connection_id = SPELLED
    session.commit()
    session.refresh(dataset)
    assert dataset.connection_id == IDENTIFIER
