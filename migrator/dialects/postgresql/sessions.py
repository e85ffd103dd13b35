"""PostgreSQL's other sessions: which one holds the migration lock, and which ones block a step."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

_HOLDER = """
    SELECT a.pid, a.application_name AS name, host(a.client_addr) AS address, a.usename AS role,
           date_trunc('second', a.backend_start) AS since, a.state, left(a.query, 200) AS query
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.classid = :space AND l.objid = :key AND l.objsubid = 2 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_BLOCKERS = """
    SELECT a.pid, a.application_name AS name, a.state, a.backend_type AS kind, date_trunc('second', a.xact_start) AS since,
           left(a.query, 120) AS query, array_agg(DISTINCT c.relname::text) AS tables,
           array_agg(DISTINCT format('%I.%I', n.nspname, c.relname)) FILTER (WHERE c.relkind IN ('r', 'p')) AS quoted
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE l.granted AND a.pid <> pg_backend_pid() AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY 1, 2, 3, 4, a.xact_start, 6 ORDER BY a.xact_start
"""
_LOCKABLE = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND has_table_privilege(c.oid, 'UPDATE')
      AND (n.nspname = current_schema() AND c.relname = ANY (:tables) OR n.nspname || '.' || c.relname = ANY (:tables))
    ORDER BY 1
"""
# What a value begins with, or what stands before one: it may be written without quotes after = and TO. Or a comment.
_VALUE = re.compile(r"['$=]|\b\d|--|/\*|\bTO\b", re.I)


@dataclass(frozen=True)
class Blocker:
    """A session that holds a lock on a table that the blocked statement names, or else on any table. `str()` says which one."""

    description: str
    vacuums: tuple[str, ...]
    """The tables that it vacuums because the server started it, quoted; empty for a client's session."""

    def __str__(self) -> str:
        return self.description


def holder(connection: Connection, key: Mapping[str, int]) -> str:
    """Return in words who holds the advisory lock: the name has host and process, the rest is what this role may see. Reads only."""
    row = connection.execute(sa.text(_HOLDER), key).mappings().first()
    if row is None:
        return "it has just ended"
    if row["since"] is None:  # what PostgreSQL shows of other roles' sessions without pg_read_all_stats
        return f"{row['name']} (pid {row['pid']}, role {row['role']}), since when this role may not see"
    running = f"; it runs: {_beginning(row['query'])}" if row["state"] == "active" else ""
    address = row["address"] or "a local socket"
    return f"{row['name']} (pid {row['pid']} from {address}, role {row['role']}), since {row['since']}{running}"


def blockers_of(connection: Connection, statement: str) -> list[Blocker]:
    """Return the sessions that may hold what the statement waits for, the oldest transaction first. Reads only."""
    rows = connection.execute(sa.text(_BLOCKERS)).mappings().all()
    close = [row for row in rows if any(table in statement for table in row["tables"])]
    return [Blocker(_describe(row), _vacuumed(row)) for row in close or rows]


def stop_autovacuum(connection: Connection, tables: Iterable[str]) -> None:
    """Make autovacuum stop on these tables, by waiting for a lock that blocks no reader and no writer.

    Autovacuum gives way to a session that has waited for `deadlock_timeout`; a step's own `lock_timeout` ends before that, at every
    try. In a transaction of its own, which changes nothing. `tables` are quoted.
    https://www.postgresql.org/docs/current/routine-vacuuming.html
    """
    try:
        connection.execute(
            sa.text(
                "SELECT set_config('lock_timeout', (500 + setting::int)::text, true) FROM pg_settings"
                " WHERE name = 'deadlock_timeout'"
            )
        )
        connection.exec_driver_sql(f"LOCK TABLE {', '.join(sorted(tables))} IN SHARE UPDATE EXCLUSIVE MODE")
    except DBAPIError as error:  # one that prevents wraparound stays
        if error.connection_invalidated:
            raise
    finally:
        connection.rollback()


def lock_definitions(connection: Connection, tables: Collection[str]) -> None:
    """Lock out sessions that would change these tables' definition until the transaction ends; readers and writers continue.

    Leaves out tables that are missing, and those on which the role may take no such lock.
    https://www.postgresql.org/docs/current/explicit-locking.html
    """
    names = connection.execute(sa.text(_LOCKABLE), {"tables": list(tables)}).scalars().all()
    if names:
        connection.exec_driver_sql(f"LOCK TABLE {', '.join(names)} IN SHARE UPDATE EXCLUSIVE MODE")


def _describe(row: sa.RowMapping) -> str:
    if row["kind"] == "autovacuum worker":
        return f"pid {row['pid']} (the server's own autovacuum), since {row['since']}: {_line(row['query'])}"
    who = f"pid {row['pid']} ({row['name'] or 'no application_name'})"
    if row["state"] is None:
        return f"{who}, whose state this role may not see (grant it pg_read_all_stats)"
    return f"{who}, {row['state']}, in a transaction since {row['since']}: {_beginning(row['query'])}"


def _vacuumed(row: sa.RowMapping) -> tuple[str, ...]:
    return tuple(row["quoted"] or ()) if row["kind"] == "autovacuum worker" else ()


def _line(query: str) -> str:
    return " ".join(query.split())


def _beginning(query: str) -> str:
    """A statement up to its first value: what is said here is kept in the log, and the values are another program's."""
    words, *values = _VALUE.split(_line(query), maxsplit=1)
    return f"{words}…" if values else words
