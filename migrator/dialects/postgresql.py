"""PostgreSQL: an advisory lock held by the session that works, and a lock_timeout in every transaction."""

import os
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects import indexes
from migrator.dialects.base import Dialect
from migrator.errors import LockError, StepFailed
from migrator.settings import Settings

_SPACE = 0x616C656D  # the first half of the advisory lock's key; the second is made from the version table's name
_OWN_LOCK = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
    AND classid = :space AND objid = :key AND objsubid = 2 AND granted
"""
_HOLDER = """
    SELECT a.pid, a.application_name AS name, coalesce(host(a.client_addr), 'a local socket') AS address, a.usename AS role,
           date_trunc('second', a.backend_start) AS since, a.state, left(a.query, 200) AS query
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.classid = :space AND l.objid = :key AND l.objsubid = 2 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_BLOCKERS = """
    SELECT a.pid, a.application_name AS name, a.state, date_trunc('second', a.xact_start) AS since, left(a.query, 120) AS query,
           array_agg(DISTINCT c.relname::text) AS tables
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation
    WHERE l.granted AND a.pid <> pg_backend_pid() AND c.relnamespace <> 'pg_catalog'::regnamespace
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY 1, 2, 3, a.xact_start, 5 ORDER BY a.xact_start
"""
_ADVICE = {
    "password authentication failed": "Correct the user or the password; @ / # % in it are written percent-encoded.",
    "no password supplied": "Give the password in the URL, in PGPASSWORD or in ~/.pgpass.",
    "does not exist": "Create it (createdb, createuser), or correct the name.",
    "refused": "Start PostgreSQL, or correct the host and the port.",
    "translate host name": "Correct the host's name.",
    "timeout expired": "See whether a firewall stands between.",
    "permission denied": "Grant the role what it lacks.",
}


class PostgreSQL(Dialect):
    """The lock lives on the connection that migrates: no run starts while the server still works for another, even a dead one."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._indexes: set[str] = set()

    @contextmanager
    def lock(self, connection: Connection, version_table: str) -> Iterator[None]:
        key = {"space": _SPACE, "key": zlib.crc32(version_table.encode()) & 0x7FFFFFFF}
        self._key = key
        self._refuse_pooler(connection)
        name = f"migrator {socket.gethostname()}:{os.getpid()}"[:63]
        before = _ask(connection, "SELECT current_setting('application_name')").scalar_one()
        connection.rollback()

        def take() -> bool:
            # One transaction a try: a waiter that stayed in one would hold up CREATE INDEX CONCURRENTLY in the holder.
            held: bool = _ask(connection, "SELECT pg_try_advisory_lock(:space, :key)", **key).scalar_one()
            connection.rollback()
            return held

        def holder() -> str:
            row = _ask(connection, _HOLDER, **key).mappings().first()
            connection.rollback()
            return _describe(row)

        self.wait_for(take, holder)
        try:
            _ask(connection, "SELECT set_config('application_name', :name, false)", name=name)
            connection.commit()
            yield
        finally:
            if not connection.invalidated:  # a session that is gone has let go already
                _ask(
                    connection,
                    "SELECT pg_advisory_unlock(:space, :key), set_config('application_name', :name, false)",
                    **key,
                    name=before,
                )
                connection.commit()

    def _refuse_pooler(self, connection: Connection) -> None:
        """Behind a transaction pooler a session is not one server process, and a lock would be left on somebody else's."""
        with connection.engine.connect() as other:
            for _ in range(3):
                first = _backend(connection)
                between = _ask(other, "SELECT pg_backend_pid()").scalar_one()  # and `other` stays in its transaction
                if between == first or _backend(connection) != first:
                    raise LockError("lock-behind-pooler")
                other.rollback()

    def begin(self, connection: Connection) -> None:
        timeout = int(self.settings.lock_timeout * min(1 + 0.2 * (self.attempt - 1), 4))
        held = _ask(
            connection,
            f"SELECT ({_OWN_LOCK}), set_config('lock_timeout', :lock, true), "
            "set_config('statement_timeout', coalesce(:limit, current_setting('statement_timeout')), true)",
            lock=str(timeout),
            limit=None if self.settings.statement_timeout is None else str(self.settings.statement_timeout),
            **self._key,
        ).scalar_one()
        if not held:
            raise LockError("lock-lost")

    @contextmanager
    def writing(self, connection: Connection) -> Iterator[None]:
        sa.event.listen(connection, "after_cursor_execute", self._note_index)
        try:
            with super().writing(connection):
                yield
        finally:
            sa.event.remove(connection, "after_cursor_execute", self._note_index)

    def _note_index(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if name := indexes.created(statement):
            self._indexes.add(name)

    def verify(self, connection: Connection) -> None:
        """An index that the step made, or took for made (IF NOT EXISTS), must be one that works."""
        if self._indexes and (broken := indexes.invalid(connection, self._indexes)):
            raise StepFailed("index-invalid", names=", ".join(broken), first=broken[0])
        self._indexes.clear()

    def finished(self, connection: Connection, statement: str, *, begun: bool) -> bool:
        name = indexes.created(statement)
        if name is None:
            return not begun
        for broken in indexes.invalid(connection, {name}):
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {broken}")
        return indexes.exists(connection, name)

    def user(self, connection: Connection) -> str | None:
        return str(_ask(connection, "SELECT current_user").scalar_one())

    def in_autocommit(self, connection: Connection) -> bool:
        return connection.dialect.detect_autocommit_setting(connection.connection.dbapi_connection)  # type: ignore[arg-type]

    def is_blocked(self, error: DBAPIError) -> bool:
        return _code(error) in ("55P03", "40P01")  # lock_not_available, deadlock_detected

    def blockers(self, connection: Connection, error: DBAPIError) -> tuple[str, ...]:
        rows = _ask(connection, _BLOCKERS).mappings().all()
        connection.rollback()
        statement = error.statement or ""
        close = [row for row in rows if any(table in statement for table in row["tables"])]
        return tuple(
            f"pid {row['pid']} ({row['name'] or 'no application_name'}), {row['state']}, in a transaction since {row['since']}: "
            f"{row['query']}"
            for row in close or rows
        )

    @property
    def patience(self) -> float:
        return self.settings.retry_for

    @contextmanager
    def fresh(self, connection: Connection) -> Iterator[Connection]:
        path = _ask(connection, "SELECT current_setting('search_path')").scalar_one()
        connection.rollback()
        with connection.engine.connect() as other:
            _ask(other, "SELECT set_config('search_path', :path, true)", path=path)
            yield other

    def explain(self, error: DBAPIError, url: sa.URL) -> tuple[str, str]:
        reason, advice = super().explain(error, url)
        return reason, next((text for words, text in _ADVICE.items() if words in reason), advice)


def _ask(connection: Connection, question: str, **values: Any) -> sa.CursorResult[Any]:
    return connection.execute(sa.text(question), values)


def _backend(connection: Connection) -> int:
    pid: int = _ask(connection, "SELECT pg_backend_pid()").scalar_one()
    connection.rollback()
    return pid


def _code(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)


def _describe(holder: Any) -> str:
    if holder is None:
        return "it has just ended"
    at_work = f"; it runs: {holder['query']}" if holder["state"] == "active" else ""
    who = f"{holder['name']} (pid {holder['pid']} from {holder['address']}, role {holder['role']})"
    return f"{who}, since {holder['since']}{at_work}"
