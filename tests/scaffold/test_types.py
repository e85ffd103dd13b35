"""The column types in the SQL of offline scripts and in the text of revisions."""

from typing import Any

import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from app.models import (
    Conversation,
)
from migrator.types import GUID, JSONDocument, UTCDateTime
from tests.scaffold.family import IDENTIFIER, SPELLED, ZONED


@pytest.mark.parametrize("document", [{"text": "it's 100 % \\ “done” 🐘"}, None])
def test_every_type_can_be_written_into_the_sql_itself_as_offline_revisions_do(session: Session, document: Any) -> None:
    row = {"id": SPELLED, "session_id": "visitor", "extra": document, "last_activity_at": ZONED}
    statement = insert(Conversation).values(row)
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    sql = str(statement.compile(engine, compile_kwargs={"literal_binds": True}))
    session.connection().exec_driver_sql(sql, () if "%%" in sql else None)
    conversation = session.scalars(select(Conversation)).one()
    assert (conversation.id, conversation.extra) == (IDENTIFIER, document)
    assert conversation.last_activity_at == ZONED


def test_the_types_write_themselves_as_a_revision_needs_them() -> None:
    assert [repr(type_()) for type_ in (GUID, JSONDocument, UTCDateTime)] == [
        "GUID()",
        "JSONDocument()",
        "UTCDateTime()",
    ]
