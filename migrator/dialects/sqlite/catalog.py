"""What SQLite keeps as SQL: the words that made each object, and indexes on expressions, which SQLAlchemy does not reflect."""

import re
from collections.abc import Collection

from sqlalchemy.engine import Connection

_FOUND = """
    SELECT DISTINCT m.tbl_name, m.name, m.sql FROM sqlite_schema AS m, pragma_index_info(m.name) AS i
    WHERE m.type = 'index' AND m.sql IS NOT NULL AND i.cid = -2
"""
_NAME = r'(?:"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|[\w$.]+)'
_MADE = re.compile(
    rf"\s*CREATE\s+(UNIQUE\s+)?INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}\s+ON\s+{_NAME}\s*(.*)", re.I | re.S
)


def indexes(connection: Connection) -> dict[str, list[tuple[str, str]]]:
    """Return for each table its indexes on expressions: name, and `unique (…) …` as it was written. Reads only."""
    found: dict[str, list[tuple[str, str]]] = {}
    for table, name, sql in connection.exec_driver_sql(_FOUND).all():
        made = _MADE.match(sql)
        text = sql if made is None else f"{'unique ' if made[1] else ''}{made[2]}"
        found.setdefault(table, []).append((name, text))
    return found


def definitions(connection: Connection, tables: Collection[str]) -> list[str]:
    """Return the SQL that made the tables, then their indexes and triggers, then all views. Reads only."""
    rank = "CASE type WHEN 'table' THEN 1 WHEN 'index' THEN 2 WHEN 'view' THEN 3 ELSE 4 END"
    rows = connection.exec_driver_sql(
        f"SELECT type, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY {rank}, rowid"
    )
    return [sql for kind, table, sql in rows.all() if kind == "view" or table in tables]
