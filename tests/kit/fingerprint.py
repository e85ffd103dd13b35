"""What a database holds, in one line a table, so that two states of it can be compared."""

import hashlib
import json
import uuid
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, ColumnClause, Connection, column, inspect, null, select, table

from app.models import Base
from migrator.types import JSONDocument
from tests.kit import BOOKKEEPING


def columns_of(connection: Connection, *, ignore: Collection[str] = BOOKKEEPING) -> dict[str, list[str]]:
    """The names of every table's columns. Reads only."""
    everything = inspect(connection).get_multi_columns()
    return {
        name: [found["name"] for found in columns] for (_, name), columns in everything.items() if name not in ignore
    }


def fingerprint(
    connection: Connection,
    *,
    columns: Mapping[str, Collection[str]] | None = None,
    ignore: Collection[str] = BOOKKEEPING,
    as_stored: bool = False,
) -> dict[str, tuple[int, str]]:
    """By table: how many rows there are, and a SHA-256 over all their values. Reads only.

    Equal for equal values, whatever the dialect and the order of rows and columns; different when a row is lost,
    added or changed, or when SQL NULL and JSON null change places. `columns` restricts it to those tables and columns,
    which have to exist. `as_stored` compares what the database holds, letter by letter: several times faster, and
    stricter (a text that became a number is a change), but only within one dialect.
    """
    wanted = columns_of(connection, ignore=ignore) if columns is None else columns
    rows = _stored if as_stored else _meant
    return {
        name: _digest(rows(connection, name, sorted(names))) for name, names in wanted.items() if name not in ignore
    }


def _digest(rows: Iterator[bytes]) -> tuple[int, str]:
    # Sorted here, because the databases sort texts differently.
    digests = sorted(hashlib.sha256(row).digest() for row in rows)
    return len(digests), hashlib.sha256(b"".join(digests)).hexdigest()


def _stored(connection: Connection, name: str, columns: list[str]) -> Iterator[bytes]:
    quote = connection.dialect.identifier_preparer.quote
    listed = ", ".join(map(quote, columns))
    # SQLite's driver hands over what is stored. PostgreSQL's would parse it, so the server makes it one text of a row.
    if connection.dialect.name != "sqlite":
        listed = f"sha256(convert_to(ROW({listed})::text, 'UTF8'))"
    for row in connection.exec_driver_sql(f"SELECT {listed} FROM {quote(name)}"):
        yield repr(tuple(value.tobytes() if isinstance(value, memoryview) else value for value in row)).encode()


def _meant(connection: Connection, name: str, columns: list[str]) -> Iterator[bytes]:
    modelled = Base.metadata.tables.get(name)
    # A whole reflected Table would warn of what it cannot say about indexes; only the types matter here.
    types = {found["name"]: found["type"] for found in inspect(connection).get_columns(name)}
    if modelled is not None:
        types |= {each.name: each.type for each in modelled.columns if each.name in types}
    chosen: list[ColumnClause[Any]] = [column(wanted, types[wanted]) for wanted in columns]
    source = table(name, *chosen)
    documents = [source.c[key.name].is_(null()) for key in chosen if isinstance(key.type, JSON | JSONDocument)]
    for row in connection.execute(select(*source.columns, *documents)):
        yield _ENCODER.encode([_by_value(value) if type(value) in _PARTS else value for value in row]).encode()


def _spelled(value: Any) -> list[str]:
    """What JSON has no word for, told apart from a text that reads the same."""
    match value:
        case datetime():
            return ["moment", value.astimezone(UTC).isoformat()]
        case uuid.UUID():
            return ["uuid", str(value)]
        case bytes() | memoryview():
            return ["bytes", bytes(value).hex()]
        case Decimal():
            return ["number", str(value.normalize())]
    raise TypeError(f"a fingerprint cannot hold {value!r}")


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=_spelled)


def _by_value(value: Any) -> Any:
    """PostgreSQL keeps the value of a number in a document and not its spelling: 1e22 comes back as an integer."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {key: _by_value(inner) if type(inner) in _PARTS else inner for key, inner in value.items()}
    return [_by_value(inner) if type(inner) in _PARTS else inner for inner in value]


_PARTS = (float, dict, list)
