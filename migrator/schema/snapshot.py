"""What a database's schema says, as plain data. Both sides of a comparison are read from the catalogs of the same kind of server."""

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from migrator.dialects.dialect import Dialect
from migrator.dialects.schema_object import SchemaObject

NOTHING = ("", "None", "False", "[]", "{}")
"""How a reflected option that is not set prints."""

Snapshot = Mapping[str, SchemaObject]
"""Every object of a schema by its name."""


def snapshot(
    connection: Connection,
    dialect: Dialect,
    *,
    ignore: Collection[str] = (),
    memo: dict[Any, Any] | None = None,
) -> Snapshot:
    """Return the objects of the connected database, except those named in `ignore`. Reads only; see `Questions.objects`."""
    return dialect.objects(connection, ignore=ignore, memo=memo)


def tables_in(schema: Snapshot) -> set[str]:
    """Return the names of the tables alone."""
    return {name for name, found in schema.items() if found.kind == "table"}


@contextmanager
def reflecting() -> Iterator[None]:
    """Keep SQLAlchemy from warning of what it reads in part: indexes on expressions are read separately, odd types keep their names."""
    with warnings.catch_warnings():
        for text in (
            "Skipped unsupported",
            "Could not instantiate",
            "Did not recognize",
            "Can't validate",
            ".*expression-based",
        ):
            warnings.filterwarnings("ignore", text, sa.exc.SAWarning)
        yield
