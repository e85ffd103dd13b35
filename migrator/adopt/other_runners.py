"""The tables in which other migration runners keep their history: recognised, shown, copied into the log, never touched."""

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.results.adoption import ImportedMigration, OtherRunner


class _Runner(NamedTuple):
    """A runner, and the columns that may hold a migration's name, time and description; the first that is there counts."""

    runner: str
    names: tuple[str, ...]
    times: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()


_RUNNERS = {
    "_migrations": _Runner(
        "a home-made runner", ("filename", "name", "id"), ("applied_at", "created_at", "run_at"), ("description",)
    ),
    "schema_migrations": _Runner(
        "Rails, golang-migrate or similar", ("version",), ("applied_at", "inserted_at"), ("description",)
    ),
    "SequelizeMeta": _Runner("Sequelize", ("name",)),
    "knex_migrations": _Runner("Knex", ("name",), ("migration_time",)),
    "django_migrations": _Runner("Django", ("name",), ("applied",), ("app",)),
    "flyway_schema_history": _Runner("Flyway", ("version", "script"), ("installed_on",), ("description",)),
}
_NUMBER = re.compile(r"\d{9,}(\.\d+)?")
_log = logging.getLogger("migrator")
_NUMBERS = ("id", "installed_rank")
_BOOKKEEPING = frozenset({"knex_migrations_lock", "ar_internal_metadata"})
TABLES = frozenset(_RUNNERS) | _BOOKKEEPING


def present(connection: Connection) -> tuple[OtherRunner, ...]:
    """Return the tables of other runners; one that only has the name is none. Reads only."""
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    return tuple(_runner(connection, table) for table in _RUNNERS if table in there and _has_names(inspector, table))


def _has_names(inspector: sa.Inspector, table: str) -> bool:
    return any(column["name"] in _RUNNERS[table].names for column in inspector.get_columns(table))


def _runner(connection: Connection, table: str) -> OtherRunner:
    count = sa.select(sa.func.count()).select_from(sa.table(table))
    return OtherRunner(table, _RUNNERS[table].runner, next((row[0] for row in _read(connection, table, count)), None))


def imported(connection: Connection) -> tuple[ImportedMigration, ...]:
    """Return what other runners say they applied, in the order in which they did. Reads only."""
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    return tuple(row for table in _RUNNERS if table in there for row in _rows(connection, inspector, table))


def _rows(connection: Connection, inspector: sa.Inspector, table: str) -> Iterator[ImportedMigration]:
    runner = _RUNNERS[table]
    columns = [column["name"] for column in inspector.get_columns(table)]
    name, at, description = (_first(names, columns) for names in runner[1:])
    if name is None:  # only its name is the same
        return
    # What is applied again whenever it changes has no version in Flyway's table, only a file.
    names = sa.func.coalesce(*(sa.cast(sa.column(each), sa.Text()) for each in runner.names if each in columns), "")
    # As text, because a driver may be unable to make a Python object of a time: the year 44 BC, infinity.
    chosen = [sa.null() if column is None else sa.cast(sa.column(column), sa.Text()) for column in (at, description)]
    order: list[sa.ColumnElement[Any]] = [
        sa.nulls_last(sa.column(each)) for each in (_first(_NUMBERS, columns) or at, name) if each
    ]
    for row in _read(connection, table, sa.select(names, *chosen).select_from(sa.table(table)).order_by(*order)):
        yield ImportedMigration(runner.runner, table, str(row[0]), _moment(row[1]), _words(row[2]))


def _read(connection: Connection, table: str, query: sa.Executable) -> Sequence[Any]:
    """Return the rows; none, with a warning, where the table cannot be read: it is somebody else's, and its history is only told."""
    try:
        with connection.begin_nested():
            return connection.execute(query).all()
    except (DBAPIError, ValueError) as trouble:
        if isinstance(trouble, DBAPIError) and trouble.connection_invalidated:
            raise
        reason = " ".join(str(trouble.orig if isinstance(trouble, DBAPIError) else trouble).split())
        _log.warning("The table %s of another runner cannot be read: %s", table, reason)
        return ()


def _words(value: Any) -> str:
    return "" if value is None else str(value)


def _first(names: Sequence[str], columns: Sequence[str]) -> str | None:
    return next((name for name in names if name in columns), None)


def _moment(value: str | None) -> datetime | None:
    """A time as other runners keep it: a timestamp, ISO text, or seconds or milliseconds since 1970; without a zone it is UTC."""
    try:
        if value is None:
            return None
        if _NUMBER.fullmatch(value):
            number = float(value)
            return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
        found = datetime.fromisoformat(value)
    except (ValueError, OverflowError, OSError):  # some other way to write a time: better none than a wrong one
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
