"""Indexes that a statement with CONCURRENTLY left INVALID: they have a name, no query uses them, and a unique one allows duplicates.

A REINDEX leaves the new one (`_ccnew`) or the old one (`_ccold`), which are to be dropped in both cases.
https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY
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
_QUALIFIED = rf"({_WORD}(?:\s*\.\s*{_WORD})?)"
_DROPPED = re.compile(rf"\s*DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF\s+EXISTS\s+)?{_QUALIFIED}", re.I)
_REINDEXED = re.compile(
    rf"\s*REINDEX\s+(?:\([^)]*\)\s*)?(INDEX|TABLE|SCHEMA|DATABASE|SYSTEM)\s+(?:CONCURRENTLY\b\s*)?{_QUALIFIED}?", re.I
)
_ITSELF = """
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.oid = to_regclass(:name)
"""
_TRANSIENT = """
    WITH there AS (
        SELECT c.oid FROM pg_class c WHERE CASE :kind
            WHEN 'INDEX' THEN c.oid = (SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass(:name))
            WHEN 'TABLE' THEN c.oid IN (SELECT to_regclass(:name) UNION SELECT relid FROM pg_partition_tree(to_regclass(:name)))
            WHEN 'SCHEMA' THEN c.relnamespace = to_regnamespace(:name)
            ELSE true END
    )
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relname ~ '_cc(new|old)[0-9]*$' AND (
        i.indrelid IN (SELECT oid FROM there)
        OR i.indrelid IN (SELECT t.reltoastrelid FROM pg_class t JOIN there USING (oid)))
    ORDER BY 1
"""
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


def is_reindex(statement: str) -> bool:
    """Return whether the statement builds indexes again next to the old ones."""
    return _REINDEXED.match(statement) is not None and "CONCURRENTLY" in statement.upper()


def left_by(connection: Connection, statement: str) -> tuple[str, ...]:
    """Return the INVALID indexes that such a statement left, or took for valid: quoted, with their schema. Reads only."""
    if index := created_by(statement):
        broken = invalid(connection, index)
        return (broken,) if broken else ()
    if dropped := _DROPPED.match(statement):
        return tuple(connection.execute(sa.text(_ITSELF), {"name": dropped[1]}).scalars())
    if is_reindex(statement) and (found := _REINDEXED.match(statement)):
        return tuple(
            connection.execute(sa.text(_TRANSIENT), {"kind": found[1].upper(), "name": found[2] or ""}).scalars()
        )
    return ()
