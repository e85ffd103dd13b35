"""Tables called `_alembic_tmp_…`, which a rebuild that failed without a transaction has left. Nothing is dropped here."""

from typing import Any

from sqlalchemy.engine import Connection

from migrator.dialects.sqlite.sql.tokens import folded, quoted, same
from migrator.errors import error

_PREFIX = "_alembic_tmp_"
_LONGEST = 50  # Alembic cuts the name of its table there


def refuse_lost_tables(connection: Connection) -> None:
    """Raise DatabaseError "table-lost" if a leftover's own table is gone, so that it holds the only copy of the rows.

    Reads only, before the first step; no transaction stays open.
    """
    tables = _tables(connection, "main")
    connection.rollback()
    for name in tables:
        table = name.removeprefix(_PREFIX)
        if name == table:
            continue
        cut = len(name) >= _LONGEST
        if not any(same(other, table) or (cut and folded(other).startswith(folded(table))) for other in tables):
            rows = _count(connection, "main", name)
            connection.rollback()
            raise error("table-lost", leftover=name, table=table, rows=rows, file=_file(connection))


def refuse(connection: Connection, schema: str, name: str, table: str) -> None:
    """Raise StepFailed "table-left-over" if the name that a rebuild of `table` needs is taken by an older one's. Reads only."""
    if any(same(name, other) for other in _tables(connection, schema)):
        rows, own = _count(connection, schema, name), _count(connection, schema, table)
        raise error("table-left-over", leftover=name, table=table, rows=rows, own=own, file=_file(connection))


def _tables(connection: Connection, schema: str) -> list[str]:
    return list(
        connection.exec_driver_sql(f"SELECT name FROM {quoted(schema)}.sqlite_master WHERE type = 'table'").scalars()
    )


def _count(connection: Connection, schema: str, name: str) -> Any:
    return connection.exec_driver_sql(f"SELECT count(*) FROM {quoted(schema)}.{quoted(name)}").scalar_one()


def _file(connection: Connection) -> str:
    return connection.engine.url.database or ":memory:"
