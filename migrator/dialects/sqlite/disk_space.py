"""The disk space that a rebuild on SQLite needs, checked before it begins."""

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.sqlite.sql.tokens import quoted
from migrator.errors import error

_TIMES = {"wal": 3}
_TIMES_OTHERWISE = 2  # measured: the copy, and the journal of what is overwritten
_MEGABYTE = 1e6


def check(connection: Connection, schema: str, table: str) -> None:
    """Raise StepFailed "disk-too-small" if the database's disk has no space to rebuild the table. Reads only, and reads no row.

    A rebuild needs about twice what the table and its indexes take, three times in WAL mode, less the free pages in the file.
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
        return  # enough for all tables, so this one need not be measured
    size = _size(connection, schema, table) or (pages - unused) * page
    needed = times * size - min(unused * page, size)
    if free < needed:
        raise error("disk-too-small", table=table, file=file, needed=needed / _MEGABYTE, free=free / _MEGABYTE)


def _size(connection: Connection, schema: str, table: str) -> int | None:
    """Return the bytes of a table and its indexes, None if this SQLite was built without dbstat."""
    try:
        return connection.exec_driver_sql(
            "SELECT sum(pgsize) FROM dbstat WHERE schema = ? AND aggregate = TRUE AND name IN "
            f"(SELECT name FROM {quoted(schema)}.sqlite_master WHERE tbl_name = ? COLLATE NOCASE)",
            (schema, table),
        ).scalar()
    except DBAPIError:
        return None
