"""What SQLite stores as SQL: the text that made each object, and indexes on expressions, which SQLAlchemy does not reflect."""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from migrator.dialects.questions import UnseenIndex
from migrator.dialects.sqlite.catalog import objects
from migrator.dialects.sqlite.sql.tokens import quoted

_ON_EXPRESSIONS = """
    SELECT DISTINCT m.tbl_name, m.name, m.sql FROM sqlite_schema AS m, pragma_index_info(m.name) AS i
    WHERE m.type = 'index' AND m.sql IS NOT NULL AND i.cid = -2
"""
# The text is looked at first, so that a virtual table whose module is not there is not opened.
_VERSION_TABLES = """
    SELECT m.name FROM {schema}.sqlite_schema AS m WHERE m.type = 'table' AND m.sql LIKE '%version_num%' AND m.sql NOT LIKE '%VIRTUAL%'
    AND (SELECT group_concat(c.name) FROM pragma_table_info(m.name, :schema) AS c) = 'version_num'
"""
_NAME = r'(?:"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|[\w$.]+)'
_CREATED = re.compile(
    rf"\s*CREATE\s+(UNIQUE\s+)?INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}\s+ON\s+{_NAME}\s*(.*)", re.I | re.S
)


def unseen_indexes(connection: Connection) -> dict[str, list[UnseenIndex]]:
    """Return for each table its indexes on expressions, defined as `unique (…) …` in the words they were written in. Reads only."""
    indexes: dict[str, list[UnseenIndex]] = {}
    for table, name, sql in connection.exec_driver_sql(_ON_EXPRESSIONS).all():
        created = _CREATED.match(sql)
        definition = sql if created is None else f"{'unique ' if created[1] else ''}{created[2]}"
        indexes.setdefault(table, []).append(UnseenIndex(name, definition))
    return indexes


def version_tables(connection: Connection, schema: str) -> frozenset[str]:
    """Return the tables of a schema whose only column is `version_num`. Reads only."""
    quoted = connection.dialect.identifier_preparer.quote_schema(schema)
    asked = sa.text(_VERSION_TABLES.format(schema=quoted.replace(":", r"\:")))
    return frozenset(connection.execute(asked, {"schema": schema}).scalars())


def definitions(connection: Connection, ignore: Collection[str]) -> list[str]:
    """Return the SQL that made the tables, then indexes, then views, then triggers; nothing of the tables in `ignore`. Reads only.

    The tables that a virtual table keeps for itself come with it.
    """
    rank = "CASE type WHEN 'table' THEN 1 WHEN 'index' THEN 2 WHEN 'view' THEN 3 ELSE 4 END"
    stored = f"SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL ORDER BY {rank}, rowid"
    rows = connection.exec_driver_sql(stored).all()
    left_out = {name.casefold() for name in ignore} | objects.shadow_tables(connection)
    return [sql for name, table, sql in rows if not name.startswith("sqlite_") and table.casefold() not in left_out]


def undescribed_tables(connection: Connection) -> frozenset[str]:
    """Return the virtual tables and those that they keep for themselves, case-folded. Reads only."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND sql IS NOT NULL"
    ).all()
    virtual = {name.casefold() for name, sql in rows if objects.is_virtual(sql)}
    return frozenset(virtual | objects.shadow_tables(connection))


def has_rowid_column(ask: Callable[[str], Sequence[Any]], schema: str, table: str) -> bool:
    """Return whether a column of the table is its rowid: an INTEGER PRIMARY KEY that needs no index of its own. Reads only, with `ask`."""
    keys = [row for row in ask(f"PRAGMA {quoted(schema)}.table_info({quoted(table)})") if row[5]]
    own_index = any(row[3] == "pk" for row in ask(f"PRAGMA {quoted(schema)}.index_list({quoted(table)})"))
    return len(keys) == 1 and keys[0][2].upper() == "INTEGER" and not own_index
