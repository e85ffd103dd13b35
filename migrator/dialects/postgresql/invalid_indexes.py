"""Indexes that a CREATE INDEX CONCURRENTLY left INVALID: they have a name, no query uses them, and a unique one allows duplicates.

The index of a partitioned table is none of them: PostgreSQL builds it without CONCURRENTLY only, and ON ONLY makes it INVALID until
the index of each partition is attached. https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

import re

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?'
_CREATED = re.compile(
    rf"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?({_NAME})\s+ON\s+({_NAME})", re.I
)
_INVALID = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND c.relkind = 'i' ORDER BY 1
"""


def created_by(statement: str) -> str | None:
    """Return the name, without its schema, of the index that a statement creates; None if it does something else."""
    created = _CREATED.match(statement)
    return None if created is None else created[1].rpartition(".")[2].strip('"').replace('""', '"')


def exists(connection: Connection, name: str) -> bool:
    """Return whether there is an index of that name in the search path, valid or not. Reads only."""
    asked = sa.text(
        "SELECT count(*) FROM pg_class WHERE relname = :name AND relkind IN ('i', 'I') AND pg_table_is_visible(oid)"
    )
    return bool(connection.execute(asked, {"name": name}).scalar_one())


def invalid(connection: Connection, names: set[str]) -> list[str]:
    """Return those of the indexes that are INVALID, quoted and with their schema. Reads only."""
    names_in_full = connection.execute(sa.text(_INVALID)).scalars()
    return [full for full in names_in_full if full.rpartition(".")[2].strip('"').replace('""', '"') in names]
