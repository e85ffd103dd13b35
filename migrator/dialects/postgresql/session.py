"""One run on PostgreSQL: an advisory lock on the session that migrates, and a `lock_timeout` in every transaction."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.alembic_private import alter_in_place
from migrator.dialects.other_connections import OtherConnections
from migrator.dialects.postgresql import sessions
from migrator.dialects.postgresql.invalid_indexes import Created, created_by, exists, invalid
from migrator.dialects.postgresql.limits import SessionLimits
from migrator.dialects.postgresql.lock import AdvisoryLock, ask, put, restore
from migrator.dialects.postgresql.transactions import NUMBERED, Transactions
from migrator.dialects.postgresql.watch import Watch
from migrator.dialects.questions import Questions
from migrator.dialects.session import Aftermath, Limits, Session, autocommits
from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.settings import Settings

_TABLE_LOCKING = re.compile(
    r"\s*(ALTER|DROP|TRUNCATE|LOCK|CREATE\s+(UNIQUE\s+)?INDEX|REINDEX|CLUSTER|COMMENT)\b", re.IGNORECASE
)
_VOLATILE = """
    SELECT EXISTS (SELECT FROM pg_proc WHERE proname = ANY (:names) AND provolatile = 'v'
    AND pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace))
"""
# The server's own functions that change rows, large objects or sequences. All others in pg_catalog read, or last as long as the session.
_WRITING = frozenset(
    ("nextval", "setval", "lo_creat", "lo_create", "lo_from_bytea", "lo_import", "lo_put", "lo_unlink", "lowrite")
)
_BLOCKED = ("55P03", "40P01", "40001")  # lock not available, deadlock detected, not serializable
_ACTIVE = 1  # libpq's PQTRANS_ACTIVE: a statement is running


class PostgreSQLSession(Session):
    """The connection that migrates holds the lock: no run starts while the server still works for another one, even a dead one.

    Without `lock`, on a database that no other session knows, its steps have no limits, and keep nothing in the session between two of
    its transactions: it also works through a transaction pooler.
    """

    _lock: AdvisoryLock | None = None

    def __init__(self, dialect: Questions, connection: Connection, settings: Settings) -> None:
        super().__init__(dialect, connection, settings)
        self._indexes: set[Created] = set()
        self._search_path: str | None = None
        self._path_of_revisions: str | None = None
        self._in_revision = False
        self._user: str | None = None
        self._driver: Any = None
        self._lock_timeout = "0"
        self._reading: set[str] = set()
        self._transactions = Transactions(self)  # without those that the engine has committed itself
        self._ends = SessionLimits(connection, settings)
        self._others = OtherConnections(connection)

    @contextmanager
    def lock(self, version_table: str) -> Iterator[None]:
        # Read here: after a failure there may be no session left to ask.
        question = "SELECT current_setting('search_path') AS path, current_user AS role, pg_backend_pid() AS process"
        row = ask(self.connection, question).mappings().one()
        self._search_path, self._user = row["path"], row["role"]
        self._ends.read()
        self.connection.rollback()
        self._driver = self.connection.connection.driver_connection
        self._lock = AdvisoryLock(self.connection, version_table)
        self._watch = Watch(self.connection, row["process"], self._others, self.cancel)
        with self._lock.held(self.wait_for):
            yield

    @contextmanager
    def writing(self, migration: MigrationContext) -> Iterator[None]:
        alter_in_place(migration.impl)
        if self._lock is None:
            self._search_path = ask(self.connection, "SELECT current_setting('search_path')").scalar_one()
            self.connection.rollback()
            with super().writing(migration):
                yield
            return
        self._lock_timeout = ask(self.connection, "SELECT current_setting('lock_timeout')").scalar_one()
        self.connection.rollback()
        listeners = (
            ("before_cursor_execute", self._limit),
            ("after_cursor_execute", self._unlimit),
            ("after_cursor_execute", self._note_index),
        )
        for name, listener in listeners:
            sa.event.listen(self.connection, name, listener)
        try:
            with self._ends.measured(), self._others.watched(), self._watch.watching(), super().writing(migration):
                yield
        finally:
            for name, listener in listeners:
                sa.event.remove(self.connection, name, listener)
            restore(self.connection, self._restore_lock_timeout)

    def _restore_lock_timeout(self) -> None:
        put(self.connection, "lock_timeout", self._lock_timeout)
        self.connection.commit()

    def _begin(self) -> None:
        values: dict[str, str] = {}
        path = "current_setting('search_path') AS path"
        if self._search_path is not None and not self._in_revision:
            path, values["home"] = f"{path}, set_config('search_path', :home, true)", self._search_path
        if self._lock is None:
            self._path_of_revisions = ask(self.connection, f"SELECT {path}", **values).scalars().one()
            return
        limit = self.limits.statement_timeout
        ends, more = self._ends.begin(self.limits.idle_limit)
        began = self._lock.look(
            f", {NUMBERED}, set_config('lock_timeout', :wait, true), "
            f"set_config('statement_timeout', coalesce(:limit, current_setting('statement_timeout')), true){ends}, {path}",
            wait=str(self._wait),
            limit=None if limit is None else str(limit),
            **values,
            **more,
        )
        if not began.held:
            raise self._lock.lost()
        self._transactions.add(began.transaction, began.number)
        self._path_of_revisions = began.path

    def in_transaction(self) -> bool:
        # What the client's library has heard from the server, so that nothing is sent.
        driver: Any = self.connection.connection.driver_connection
        if hasattr(driver, "info"):
            return bool(driver.info.transaction_status)
        return bool(driver.is_in_transaction()) if hasattr(driver, "is_in_transaction") else True

    def is_same_transaction(self) -> bool:
        return self._transactions.is_last(self.connection) and self.in_transaction()

    def aftermath(self) -> Aftermath:
        return self._transactions.aftermath(self.connection)

    def committed_elsewhere(self) -> tuple[str, ...]:
        return tuple(self._others.committed)

    def expect_commit(self) -> None:
        self._transactions.clear()

    def enter_revision(self) -> None:
        self._in_revision = self._others.noting = True
        if self._path_of_revisions not in (None, self._search_path):
            put(self.connection, "search_path", self._path_of_revisions, local=True)

    def leave_revision(self) -> None:
        self._in_revision = self._others.noting = False
        if self._search_path is not None:
            put(self.connection, "search_path", self._search_path, local=True)

    @property
    def _wait(self) -> int:
        """Milliseconds that a statement of this try may wait for a lock: a hundredth more each time, because every writer waits too."""
        return int(self.limits.lock_timeout * min(1 + 0.01 * (self.attempt - 1), 2))

    def _limit(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        """Limit the wait for a table also in an `autocommit_block()`, where no transaction carries the setting.

        Not the wait of CONCURRENTLY, which waits for every open transaction and blocks no other session, and not the wait for a row.
        """
        if autocommits(connection) and _TABLE_LOCKING.match(statement):
            cursor.execute(f"SET lock_timeout = {0 if 'CONCURRENTLY' in statement.upper() else self._wait}")

    def _unlimit(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if autocommits(connection) and _TABLE_LOCKING.match(statement):
            with closing(connection.connection.cursor()) as other:
                other.execute(f"SET lock_timeout = '{self._lock_timeout}'")

    def _note_index(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        # Only these can end with an INVALID index, or take one for their own.
        if ("CONCURRENTLY" in statement.upper() or "EXISTS" in statement.upper()) and (index := created_by(statement)):
            self._indexes.add(index)

    def already_done(self, statement: str, *, begun: bool) -> bool:
        index = created_by(statement)
        if index is None:
            return not begun
        if broken := invalid(self.connection, index):
            self.connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {broken}".replace("%", "%%"))
        return exists(self.connection, index)

    def left_partial(self, statement: str) -> bool:
        index = created_by(statement)
        return index is not None and invalid(self.connection, index) is not None

    def may_write(self, functions: set[str]) -> bool:
        if functions & _WRITING:
            return True
        unknown = functions - self._reading
        if unknown and ask(self.connection, _VOLATILE, names=list(unknown)).scalar_one():
            return True
        self._reading |= unknown
        return False

    def user(self) -> str | None:
        if self._user is None:
            self._user = str(ask(self.connection, "SELECT current_user").scalar_one())
        return self._user

    def is_blocked(self, raised: DBAPIError) -> bool:
        if sqlstate(raised) not in _BLOCKED or not self._others.is_own(raised):
            return False
        others = self._others.processes
        if others and any(one.process in others for one in self._blockers(raised, named=True)):
            self._watch.waits_for_itself = raised.statement
            return False
        return True

    def cancel(self) -> None:
        # psycopg's two versions allow this in another thread; asyncpg waits in the event loop, which a signal ends.
        other = self._others.running
        for driver in (self._driver, other and other.driver):
            if driver is not None and getattr(getattr(driver, "info", None), "transaction_status", None) == _ACTIVE:
                driver.cancel()

    def start_attempt(self, limits: Limits, attempt: int) -> None:
        super().start_attempt(limits, attempt)
        self._transactions.clear()
        self._in_revision = False
        self._others.forget()
        if self._lock is not None:
            self._watch.waits_for_itself = None

    def reason(self, raised: BaseException) -> MigratorError | None:
        if self._watch.waits_for_itself is not None:
            return error("step-waits-for-itself", statement=" ".join(self._watch.waits_for_itself.split())[:200])
        return self._ends.reason(raised)

    def _blockers(self, raised: DBAPIError, *, named: bool = False) -> list[sessions.Blocker]:
        found = sessions.blockers_of(self.connection, raised.statement or "", named=named)
        self.connection.rollback()
        return found

    def blockers(self, raised: DBAPIError) -> tuple[str, ...]:
        found = self._blockers(raised)
        if tables := {table for blocker in found for table in blocker.vacuums}:
            sessions.stop_autovacuum(self.connection, tables)
        return tuple(map(str, found))

    @property
    def patience(self) -> float:
        return self.limits.retry_for

    @contextmanager
    def second_connection(self) -> Iterator[Connection]:
        with super().second_connection() as other:
            if self._search_path is not None:
                put(other, "search_path", self._search_path, local=True)
            yield other

    def invalid_indexes(self) -> tuple[str, ...]:
        broken = [name for index in sorted(self._indexes) if (name := invalid(self.connection, index))]
        if not broken:
            self._indexes.clear()
        return tuple(broken)


def sqlstate(error: DBAPIError) -> str:
    """Return the five characters that the server gave the error, as each driver keeps them; empty if the error is not the server's."""
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""
