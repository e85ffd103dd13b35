"""What the types of `migrator.types` are on SQLite. What one stores never changes once a revision has used it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Dialect, Integer, String
from sqlalchemy.dialects.sqlite import DATETIME
from sqlalchemy.types import TypeEngine


def uuid_type() -> TypeEngine[Any]:
    """Return the type of a UUID: `VARCHAR(36)`."""
    return String(36)


def json_type() -> TypeEngine[Any]:
    """Return the type of a JSON document: `JSON`, which is text, with SQL NULL for none."""
    return JSON(none_as_null=True)


def timestamp_type() -> TypeEngine[Any]:
    """Return the type of a moment: `DATETIME`, which is text, in UTC."""
    return _Timestamp()  # type: ignore[no-untyped-call]


def identity_type() -> TypeEngine[Any]:
    """Return the type of a primary key that counts upwards: `INTEGER`, the only one that is the rowid."""
    return Integer()


class _Timestamp(DATETIME):
    """Writes a timestamp as SQLite's CURRENT_TIMESTAMP does, with a fraction only if there is one.

    SQLite compares timestamps as texts. With SQLAlchemy's fixed `.000000`, a row stamped by the server would come
    before the same moment written by the application.
    """

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        def process(value: datetime | None) -> str | None:
            return None if value is None else value.replace(tzinfo=None).isoformat(sep=" ")

        return process
