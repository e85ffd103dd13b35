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
# Whoever holds a lock: a session, or what PREPARE TRANSACTION left, which has no session any more.
_WHO = """
    l.pid, a.application_name AS name, a.state, a.backend_type AS kind, x.gid, x.owner,
    date_trunc('second', coalesce(a.xact_start, x.prepared)) AS since, left(a.query, 120) AS query
"""
_FROM = """
    FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
    LEFT JOIN pg_prepared_xacts x ON l.pid IS NULL AND x.transaction::text IN (
        SELECT t.transactionid::text FROM pg_locks t
        WHERE t.pid IS NULL AND t.virtualtransaction = l.virtualtransaction AND t.transactionid IS NOT NULL)
"""
_BLOCKERS = f"""
    SELECT {_WHO}, array_agg(DISTINCT c.relname::text) AS tables,
           array_agg(DISTINCT format('%I.%I', n.nspname, c.relname)) FILTER (WHERE c.relkind IN ('r', 'p')) AS quoted
    {_FROM} JOIN pg_class c ON c.oid = l.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE l.granted AND (a.pid <> pg_backend_pid() OR x.gid IS NOT NULL)
      AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY since
"""
_WAITING = f"""
    WITH waiting AS (SELECT pg_blocking_pids(:pid) AS by)
    SELECT DISTINCT {_WHO} {_FROM}, waiting
    WHERE l.granted AND (l.pid = ANY (waiting.by) OR x.gid IS NOT NULL AND 0 = ANY (waiting.by) AND EXISTS (
        SELECT FROM pg_locks w WHERE w.pid = :pid AND NOT w.granted AND w.locktype = l.locktype
        AND w.database IS NOT DISTINCT FROM l.database AND w.relation IS NOT DISTINCT FROM l.relation
        AND w.transactionid IS NOT DISTINCT FROM l.transactionid AND w.virtualxid IS NOT DISTINCT FROM l.virtualxid
    )) ORDER BY since
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
    """A session, or a prepared transaction, that holds what a statement waits for, or may hold it. `str()` says which one."""

    description: str
    process: int | None
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


def blockers_of(connection: Connection, statement: str, *, named: bool = False) -> list[Blocker]:
    """Return who may hold what the statement waits for, the oldest transaction first. Reads only.

    Those with a lock on a table that the statement names; if there are none, and `named` is false, all.
    """
    rows = connection.execute(sa.text(_BLOCKERS)).mappings().all()
    close = [row for row in rows if any(table in statement for table in row["tables"])]
    return [Blocker(_describe(row), row["pid"], _vacuumed(row)) for row in (close if named else close or rows)]


def blockers_now(connection: Connection, process: int) -> list[Blocker]:
    """Return whom a server process waits for at this moment, the oldest transaction first. Reads only.

    Whoever waits in front of it for the same lock counts as well.
    """
    rows = connection.execute(sa.text(_WAITING), {"pid": process}).mappings()
    return [Blocker(_describe(row), row["pid"], ()) for row in rows]


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
    if row["gid"] is not None:
        ends = "COMMIT PREPARED or ROLLBACK PREPARED ends it"
        return f"the prepared transaction {row['gid']!r} of {row['owner']}, since {row['since']} ({ends})"
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
