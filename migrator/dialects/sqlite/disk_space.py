"""The disk that a rebuild on SQLite needs, looked at before it begins."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.sqlite.sql.tokens import quoted
from migrator.errors.tree import MigratorError

_TIMES = {"wal": 3}
_TIMES_OTHERWISE = 2  # measured: the copy, and the journal of what is overwritten


def check(connection: Connection, schema: str, table: str, fail: Callable[..., MigratorError]) -> None:
    """Raise when the database's disk has not the room to rebuild the table; reads only, and looks at no row.

    Needed is about twice what the table and its indexes take, three times in WAL mode, less the pages that are free in the file.
    """

    def pragma(name: str) -> Any:
        return connection.exec_driver_sql(f"PRAGMA {quoted(schema)}.{name}").scalar()

    rows = connection.exec_driver_sql("PRAGMA database_list").all()
    file = next((row[2] for row in rows if row[1] == schema), "")
    if not file:
        return
    page, pages, unused = pragma("page_size"), pragma("page_count"), pragma("freelist_count")
    times = _TIMES.get(pragma("journal_mode"), _TIMES_OTHERWISE)
    free = shutil.disk_usage(Path(file).parent).free
    if free >= times * (pages - unused) * page:
        return  # enough for all tables, so there is no need to measure this one
    size = _size(connection, schema, table) or (pages - unused) * page
    needed = times * size - min(unused * page, size)
    if free < needed:
        raise fail("disk-too-small", table=table, file=file, needed=_megabytes(needed), free=_megabytes(free))


def _size(connection: Connection, schema: str, table: str) -> int | None:
    """Return the bytes of a table and its indexes; None where SQLite was built without the means to tell."""
    try:
        return connection.exec_driver_sql(
            "SELECT sum(pgsize) FROM dbstat WHERE schema = ? AND aggregate = TRUE AND name IN "
            f"(SELECT name FROM {quoted(schema)}.sqlite_master WHERE tbl_name = ? COLLATE NOCASE)",
            (schema, table),
        ).scalar()
    except DBAPIError:
        return None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
