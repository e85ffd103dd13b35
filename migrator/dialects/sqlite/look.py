"""One look at a SQLite file, through Python's own driver."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from migrator.dialects.look import PLAIN, Look

_PREFIX = "sqlite:///"


def look(settings_url: str, root: Path, queries: Sequence[str]) -> Look | None:
    """Return the answers to the queries, None for any URL that is not plain and for whatever SQLite refuses. Reads only.

    `root` is the folder that a relative path is taken from.
    """
    path = root / settings_url.removeprefix(_PREFIX)
    if not settings_url.startswith(_PREFIX) or not PLAIN.fullmatch(str(path)) or not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as connection:
            answers = tuple(_answer(connection, query) for query in queries)
    except sqlite3.Error:  # no database, locked: the engine itself says it better
        return None
    return Look(f"sqlite+pysqlite:///{path}", answers)


def _answer(connection: sqlite3.Connection, query: str) -> list[Any] | None:
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError as refused:
        if str(refused).startswith("no such table: "):
            return None
        raise
