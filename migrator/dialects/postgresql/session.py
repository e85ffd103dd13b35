"""One run on PostgreSQL: an advisory lock on the session that migrates, and a `lock_timeout` in every transaction."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.alembic_private import alter_in_place
from migrator.dialects.other_connections import OtherConnections
from migrator.dialects.postgresql import sessions
from migrator.dialects.postgresql.block_limits import BlockLimits
from migrator.dialects.postgresql.invalid_indexes import created_by, exists, is_reindex, left_by
from migrator.dialects.postgresql.limits import SessionLimits
from migrator.dialects.postgresql.lock import AdvisoryLock, ask, put, restore
from migrator.dialects.postgresql.transactions import NUMBERED, Transactions
from migrator.dialects.postgresql.watch import Watch
from migrator.dialects.questions import Questions
from migrator.dialects.session import Aftermath, Limits, Session
from migrator.dialects.unseen_work import UnseenWork
from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.settings import Settings

_VOLATILE = """
    SELECT EXISTS (SELECT FROM pg_proc WHERE proname = ANY (:names) AND provolatile = 'v'
    AND pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace))
"""
# The server's own functions that change rows, large objects or sequences. All others in pg_catalog read, or last as long as the session.
_WRITING = frozenset(
    ("nextval", "setval", "lo_creat", "lo_create", "lo_from_bytea", "lo_import", "lo_put", "lo_unlink", "lowrite")
)
# Its number within the session: PostgreSQL counts every transaction, also one that only reads.
_OWN_TRANSACTION = """
    SELECT split_part(virtualtransaction, '/', 2) FROM pg_locks
    WHERE locktype = 'virtualxid' AND pid = pg_backend_pid() AND virtualxid = virtualtransaction
"""
# They may commit on their way, also where they fail in the end.
_IN_PARTS = re.compile(r"\s*(?:(?:DO|CALL)\b|ALTER\b.*\bCONCURRENTLY\b)", re.IGNORECASE | re.DOTALL)
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
        self._indexes: set[str] = set()
        """The statements that may have left INVALID indexes."""
        self._search_path: str | None = None
        self._path_of_revisions: str | None = None
        self._in_revision = False
        self._user: str | None = None
        self._driver: Any = None
        self._reading: set[str] = set()
        self._transactions = Transactions(self)  # without those that the engine has committed itself
        self._ends = SessionLimits(connection, settings)
        self._others = OtherConnections(connection)
        self._alone = BlockLimits(self)

    aborts = True

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
        self._alone.read()
        self.connection.rollback()
        self.unseen = UnseenWork(self.connection, self._count, _comes_next)
        sa.event.listen(self.connection, "before_cursor_execute", self._note_index)
        try:
            with (
                self._ends.measured(),
                self._others.watched(),
                self._watch.watching(),
                self.unseen.watched(self._alone.watched()),
                super().writing(migration),
            ):
                yield
        finally:
            self.unseen = None
            sa.event.remove(self.connection, "before_cursor_execute", self._note_index)
            restore(self.connection, self._restore_limits)

    def _restore_limits(self) -> None:
        self._alone.restore()
        self.connection.commit()

    def _begin(self) -> None:
        values: dict[str, str] = {}
        path = "current_setting('search_path') AS path"
        if self._search_path is not None and not self._in_revision:
            path, values["home"] = f"{path}, set_config('search_path', :home, true)", self._search_path
        if self._lock is None:
            self._path_of_revisions = ask(self.connection, f"SELECT {path}", **values).scalars().one()
            return
        limit = self.limits.statement_timeout if self.limits.statement_timeout is not None else self._alone.left
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

    def in_transaction(self, *, unknown: bool = True) -> bool:
        # What the client's library has heard from the server, so that nothing is sent.
        driver: Any = self.connection.connection.driver_connection
        if hasattr(driver, "info"):
            return bool(driver.info.transaction_status)
        return bool(driver.is_in_transaction()) if hasattr(driver, "is_in_transaction") else unknown

    def transaction_number(self) -> int | None:
        number: int | None = ask(self.connection, "SELECT txid_current_if_assigned()").scalar_one()
        return number

    def is_committed(self, number: int) -> bool | None:
        said = ask(self.connection, "SELECT txid_status(:number)", number=number).scalar_one()
        return {"committed": True, "aborted": False}.get(said)

    def drop_temporary(self, kind: str, name: str) -> None:
        self.connection.exec_driver_sql(f"DROP {kind} IF EXISTS pg_temp.{name} CASCADE")

    def _count(self) -> int | None:
        """Return how many transactions this session has had, that of the question included; None in the middle of one."""
        if self.in_transaction(unknown=False):
            return None
        return int(self.connection.exec_driver_sql(_OWN_TRANSACTION).scalar_one())

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

    def _note_index(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        # Only these can end with an INVALID index, or take one for their own.
        upper = statement.upper()
        if "INDEX" in upper and ("CONCURRENTLY" in upper or ("EXISTS" in upper and created_by(statement))):
            self._indexes.add(statement)

    def already_done(self, statement: str, *, begun: bool) -> bool:
        index = created_by(statement)
        if index is not None or (begun and is_reindex(statement)):
            for broken in left_by(self.connection, statement):
                self.connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {broken}".replace("%", "%%"))
        return not begun if index is None else exists(self.connection, index)

    def left_partial(self, statement: str, *, in_parts: bool) -> bool:
        return in_parts or bool(_IN_PARTS.match(statement)) or bool(left_by(self.connection, statement))

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
        self._alone.has_own, self._alone.wait = False, self._wait
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
        broken = {name for statement in self._indexes for name in left_by(self.connection, statement)}
        if not broken:
            self._indexes.clear()
        return tuple(sorted(broken))


def _comes_next(number: int, other: int) -> bool:
    return other == number + 1


def sqlstate(error: DBAPIError) -> str:
    """Return the five characters that the server gave the error, as each driver keeps them; empty if the error is not the server's."""
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""
