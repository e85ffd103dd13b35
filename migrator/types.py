"""Column types that mean the same on SQLite and on PostgreSQL.

Besides `alembic` and `sqlalchemy`, this module is all that a revision may import: what a type here stores never
changes once a revision has used it. Importing it loads nothing of Alembic and nothing else of the engine but `dialects` and `errors`,
which are light; what a type is on one database is in `dialects/<database>/types.py`. On a database without such a folder a UUID is
text, and the others are SQLAlchemy's own.
"""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, String, Uuid
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine

from migrator.dialects import NAMES, part

__all__ = ["GUID", "JSONDocument", "UTCDateTime"]


class GUID(TypeDecorator[uuid.UUID]):
    """A UUID: native on PostgreSQL, `VARCHAR(36)` on SQLite.

    Guarantees that a result is always a `uuid.UUID`, and that SQLite holds one spelling only, lower case with hyphens,
    so that equal values are equal texts. A parameter is a `uuid.UUID` or the text of one, in any spelling that
    `uuid.UUID` reads; text that is none raises ValueError, any other type TypeError (both arrive wrapped in
    SQLAlchemy's StatementError).
    """

    impl = String
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(36)

    def __repr__(self) -> str:
        return "GUID()"

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_own_type(dialect.name, "uuid_type") or String(36))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        identifier = as_uuid(value)
        return identifier if _takes_uuids(dialect.name) else str(identifier)

    def process_result_value(self, value: Any, dialect: Dialect) -> uuid.UUID | None:
        return None if value is None else as_uuid(value)


class JSONDocument(TypeDecorator[Any]):
    """A JSON document: `JSONB` on PostgreSQL, `JSON` (text) on SQLite.

    Guarantees that an absent document is SQL NULL: None, and `JSON.NULL` too, are stored as NULL and never as the JSON
    literal `null`, so `IS NULL` finds every one. Inside a document, null stays null. Paths
    (`column["a"]["b"].as_string()`) work as on SQLAlchemy's own JSON. A change made inside a loaded document is not
    noticed by the ORM: assign a new one.
    """

    impl = JSON
    cache_ok = True
    hashable = False

    def __init__(self) -> None:
        super().__init__(none_as_null=True)

    def __repr__(self) -> str:
        return "JSONDocument()"

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_own_type(dialect.name, "json_type") or JSON(none_as_null=True))

    def coerce_compared_value(self, op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        # A path's index is a string or an integer, not a document.
        return self.impl_instance.coerce_compared_value(op, value)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is JSON.NULL else value

    def process_literal_param(self, value: Any, dialect: Dialect) -> str:
        # For offline SQL, which SQLAlchemy's own JSON cannot write.
        if value is None or value is JSON.NULL:
            return "NULL"
        quote: Callable[[str], str] = String().literal_processor(dialect)  # type: ignore[no-untyped-call]
        return quote(json.dumps(value))


class UTCDateTime(TypeDecorator[datetime]):
    """A moment in time: `TIMESTAMP WITH TIME ZONE` on PostgreSQL, `DATETIME` (text, in UTC) on SQLite.

    Guarantees that a result is an aware datetime in UTC, whoever wrote it: the application, or the database's own
    CURRENT_TIMESTAMP. A parameter must be an aware datetime, of any zone; a naive one raises ValueError, because only
    its author knows which moment it means, and any other type TypeError (both arrive wrapped in StatementError).
    """

    impl = DateTime
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(timezone=True)

    def __repr__(self) -> str:
        return "UTCDateTime()"

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_own_type(dialect.name, "timestamp_type") or DateTime(timezone=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if not isinstance(value, datetime):
            raise TypeError(f"a UTCDateTime takes an aware datetime, not {type(value).__name__}")
        if value.utcoffset() is None:
            raise ValueError(
                f"a UTCDateTime takes an aware datetime, and {value.isoformat()} is a naive datetime: "
                "give it its time zone, for example datetime.now(UTC)"
            )
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _own_type(database: str, question: str) -> TypeEngine[Any] | None:
    """What the database's folder answers, None if there is no folder."""
    answer: TypeEngine[Any] | None = getattr(part(database, "types"), question)() if database in NAMES else None
    return answer


@cache
def _takes_uuids(database: str) -> bool:
    """Whether the driver takes a `uuid.UUID`; else it takes a text."""
    return isinstance(_own_type(database, "uuid_type"), Uuid)


def as_uuid(value: object) -> uuid.UUID:
    """Read a UUID, or the text of one.

    Raises ValueError for a text that is not a UUID's, TypeError for anything that is neither; both name the type.
    """
    if isinstance(value, uuid.UUID):
        return value
    if not isinstance(value, str):
        raise TypeError(f"a GUID takes a uuid.UUID or the text of one, not {type(value).__name__}")
    try:
        return uuid.UUID(value)
    except ValueError:
        raise ValueError(
            f"a GUID takes a uuid.UUID or the text of one, and this str is not one: {value[:40]!r}"
        ) from None
