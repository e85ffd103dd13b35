"""JSONDocument: what goes in comes out, and nothing is SQL NULL."""

import json
from typing import Any

import pytest
from sqlalchemy import JSON, select
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from app.models import (
    Conversation,
)
from tests.scaffold.family import stored

AWKWARD: dict[str, Any] = {
    "text": "“Zoë” said: 'it''s \\ 100 % \n 日本語 🐘'",
    "deep": {"a": [{"b": {"c": [None, True, 0, -1.5, 2.5e-7, ""]}}]},
    "null": None,
    "empty": [{}, []],
    "big": 2**53,
}


@pytest.mark.parametrize("document", [AWKWARD, {}, [], [1, [2, None]], "text", 0, False])
def test_a_document_comes_back_as_it_was(session: Session, document: Any) -> None:
    conversation = Conversation(session_id="visitor", extra=document)
    session.add(conversation)
    session.commit()
    session.refresh(conversation)
    assert conversation.extra == document
    assert type(conversation.extra) is type(document)


@pytest.mark.parametrize("absent", [{}, {"extra": None}, {"extra": JSON.NULL}], ids=["left out", "None", "JSON.NULL"])
def test_an_absent_document_is_sql_null(session: Session, absent: dict[str, Any]) -> None:
    conversation = Conversation(session_id="visitor", **absent)
    session.add(conversation)
    session.commit()
    assert stored(session, Conversation.__table__.c.metadata) is None
    assert session.scalars(select(Conversation).where(Conversation.extra.is_(None))).one() is conversation


def test_a_document_taken_away_leaves_sql_null(session: Session) -> None:
    conversation = Conversation(session_id="visitor", extra={"a": 1})
    session.add(conversation)
    session.commit()
    conversation.extra = None
    session.commit()
    assert stored(session, Conversation.__table__.c.metadata) is None


def test_null_inside_a_document_is_json_null(session: Session) -> None:
    session.add(Conversation(session_id="visitor", extra={"a": None}))
    session.commit()
    assert session.scalar(select(Conversation.extra)) == {"a": None}
    held = stored(session, Conversation.__table__.c.metadata)
    assert (json.loads(held) if isinstance(held, str) else held) == {"a": None}


def test_paths_reach_into_a_document(session: Session) -> None:
    extra = {"source": {"name": "Zoë", "rank": 3, "share": 0.5, "ok": True}, "tags": ["a", "b"]}
    session.add_all([Conversation(session_id="one", extra=extra), Conversation(session_id="two", extra={"tags": []})])
    session.add(Conversation(session_id="three"))
    session.commit()
    column = Conversation.extra

    def found(criterion: Any) -> list[str | None]:
        return list(session.scalars(select(Conversation.session_id).where(criterion)))

    assert found(column["source"]["name"].as_string() == "Zoë") == ["one"]
    assert found(column["source"]["rank"].as_integer() > 2) == ["one"]
    assert found(column["source"]["share"].as_float() < 1) == ["one"]
    assert found(column["source"]["ok"].as_boolean()) == ["one"]
    assert found(column[("source", "name")].as_string() == "Zoë") == ["one"]
    assert found(column["tags"][1].as_string() == "b") == ["one"]
    assert found(column["source"]["name"].as_string() == "zoë") == []
    assert session.scalar(select(column["source"]).where(Conversation.session_id == "one")) == extra["source"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_has_not_is_refused(session: Session, number: float) -> None:
    session.add(Conversation(session_id="visitor", extra={"a": number}))
    with pytest.raises(StatementError, match="JSON compliant"):
        session.flush()
