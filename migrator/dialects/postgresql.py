"""PostgreSQL: an advisory lock held by the session that works, and a lock_timeout in every transaction."""

import re
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects import indexes, scratch, sessions
from migrator.dialects.advisory import AdvisoryLock, ask, put, until_broken
from migrator.dialects.base import Dialect
from migrator.errors import LockError, StepFailed
from migrator.settings import Settings

_TABLE_LOCKING = re.compile(
    r"\s*(ALTER|DROP|TRUNCATE|LOCK|CREATE\s+(UNIQUE\s+)?INDEX|REINDEX|CLUSTER|COMMENT)\b", re.IGNORECASE
)
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
        self._user: str | None = None

    @contextmanager
    def lock(self, connection: Connection, version_table: str) -> Iterator[None]:
        # Read here: after a failure there may be no session left to ask.
        self._path = ask(connection, "SELECT current_setting('search_path')").scalar_one()
        connection.rollback()
        self._lock = AdvisoryLock(connection, version_table)
        with self._lock.held(self.wait_for):
            yield

    def begin(self, connection: Connection) -> None:
        limit = self.settings.statement_timeout
        held = self._lock.is_held(
            ", set_config('lock_timeout', :wait, true), set_config('idle_in_transaction_session_timeout', '0', true), "
            "set_config('statement_timeout', coalesce(:limit, current_setting('statement_timeout')), true)",
            wait=str(self._wait),
            limit=None if limit is None else str(limit),
        )
        if not held:
            raise LockError("lock-lost")

    @property
    def _wait(self) -> int:
        """Milliseconds that a statement of this try may wait for a lock: a hundredth more each time, every writer waits with it."""
        return int(self.settings.lock_timeout * min(1 + 0.01 * (self.attempt - 1), 2))

    @contextmanager
    def writing(self, connection: Connection, migration: MigrationContext) -> Iterator[None]:
        self._own = ask(connection, "SELECT current_setting('lock_timeout')").scalar_one()
        connection.rollback()
        listeners = (
            ("before_cursor_execute", self._limit),
            ("after_cursor_execute", self._unlimit),
            ("after_cursor_execute", self._note_index),
        )
        for name, listener in listeners:
            sa.event.listen(connection, name, listener)
        try:
            with super().writing(connection, migration):
                yield
        finally:
            for name, listener in listeners:
                sa.event.remove(connection, name, listener)
            with until_broken(connection):
                put(connection, "lock_timeout", self._own)
                connection.commit()

    def _limit(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        """In an `autocommit_block()`, where there is no transaction to say it in, the wait for a table is bounded as well.

        Not that of CONCURRENTLY, which waits for every transaction there is and holds up nobody, and not that for a row.
        """
        if _autocommits(connection) and _TABLE_LOCKING.match(statement):
            cursor.execute(f"SET lock_timeout = {0 if 'CONCURRENTLY' in statement.upper() else self._wait}")

    def _unlimit(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if _autocommits(connection) and _TABLE_LOCKING.match(statement):
            with closing(connection.connection.cursor()) as other:
                other.execute(f"SET lock_timeout = '{self._own}'")

    def _note_index(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        # Only these can end with an INVALID index, or take one for their own.
        if ("CONCURRENTLY" in statement.upper() or "EXISTS" in statement.upper()) and (
            name := indexes.created(statement)
        ):
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

    def schemas(self, connection: Connection) -> tuple[str | None, ...]:
        inspector = sa.inspect(connection)
        default = inspector.default_schema_name or ""
        if default.startswith(scratch.NAME):  # a scratch schema beside the real ones
            return (None,)
        return (None, *(name for name in inspector.get_schema_names() if name not in (default, "information_schema")))

    def hold_still(self, connection: Connection, tables: Collection[str]) -> None:
        sessions.hold_still(connection, tables)

    def scratch(self, connection: Connection) -> AbstractContextManager[Connection]:
        return scratch.postgresql(connection)

    def left_part(self, connection: Connection, statement: str) -> bool:
        name = indexes.created(statement)
        return name is not None and bool(indexes.invalid(connection, {name}))

    def user(self, connection: Connection) -> str | None:
        if self._user is None:
            self._user = str(ask(connection, "SELECT current_user").scalar_one())
        return self._user

    def in_autocommit(self, connection: Connection) -> bool:
        # As every driver says it; SQLAlchemy's detect_autocommit_setting() says the same since 2.0.43 only.
        return bool(getattr(connection.connection.dbapi_connection, "autocommit", False))

    def is_blocked(self, error: DBAPIError) -> bool:
        return _code(error) in ("55P03", "40P01")  # lock_not_available, deadlock_detected

    def blockers(self, connection: Connection, error: DBAPIError) -> tuple[str, ...]:
        found = sessions.in_the_way(connection, error.statement or "")
        connection.rollback()
        if tables := {table for blocker in found for table in blocker.vacuums}:
            sessions.stop_autovacuum(connection, tables)
        return tuple(blocker.words for blocker in found)

    @property
    def patience(self) -> float:
        return self.settings.retry_for

    @contextmanager
    def fresh(self, connection: Connection) -> Iterator[Connection]:
        with connection.engine.connect() as other:
            put(other, "search_path", self._path, local=True)
            yield other

    def explain(self, error: DBAPIError, url: sa.URL) -> tuple[str, str]:
        reason, advice = super().explain(error, url)
        return reason, next((text for words, text in _ADVICE.items() if words in reason), advice)


def _code(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)


def _autocommits(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
