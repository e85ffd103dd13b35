"""Indexes that a CREATE INDEX CONCURRENTLY left INVALID: they have a name, no query uses them, and a unique one allows duplicates.

The index of a partitioned table is none of them: PostgreSQL builds it without CONCURRENTLY only, and ON ONLY makes it INVALID until
the index of each partition is attached. https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

import re
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_WORD = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_CREATED = re.compile(
    r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"({_WORD})\s+ON\s+(?:ONLY\s+)?({_WORD}(?:\s*\.\s*{_WORD})?)",
    re.I,
)
# An index is always in the schema of its table.
_FOUND = """
    SELECT format('%I.%I', n.nspname, c.relname) AS name, i.indisvalid OR c.relkind <> 'i' AS valid
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = :name AND n.oid = coalesce(
        (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(:table)), to_regnamespace(quote_ident(current_schema())))
"""


class Created(NamedTuple):
    """An index as the statement that creates it names it."""

    name: str
    """As the catalog has it."""
    table: str
    """As it is written, perhaps quoted and with its schema."""


def created_by(statement: str) -> Created | None:
    """Return the index that a statement creates; None if it does something else."""
    created = _CREATED.match(statement)
    if created is None:
        return None
    name = created[1]
    return Created(name[1:-1].replace('""', '"') if name.startswith('"') else name.lower(), created[2])


def exists(connection: Connection, index: Created) -> bool:
    """Return whether there is an index of that name in the schema of its table, valid or not. Reads only."""
    return connection.execute(sa.text(_FOUND), index._asdict()).first() is not None


def invalid(connection: Connection, index: Created) -> str | None:
    """Return the index's name, quoted and with its schema, if it is INVALID. Reads only."""
    found = connection.execute(sa.text(_FOUND), index._asdict()).first()
    return found.name if found and not found.valid else None
