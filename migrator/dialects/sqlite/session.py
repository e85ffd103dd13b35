"""One run on SQLite: a lock file, BEGIN IMMEDIATE for every step, foreign keys off during a step and checked before its commit."""

import operator
import re
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.other_connections import OtherConnections
from migrator.dialects.questions import Questions
from migrator.dialects.session import Aftermath, Limits, Session
from migrator.dialects.sqlite import busy, journal, pragma
from migrator.dialects.sqlite.foreign_keys import ForeignKeys
from migrator.dialects.sqlite.lock import LockFile, refuse_read_only
from migrator.dialects.sqlite.own_commit import OwnCommit
from migrator.dialects.sqlite.rebuild import leftovers
from migrator.dialects.sqlite.rebuild.impl import RebuildImpl
from migrator.dialects.sqlite.rebuild.step import RebuildStep
from migrator.dialects.sqlite.statements_seen import StatementsSeen
from migrator.dialects.sqlite.violations import Violation
from migrator.dialects.unseen_work import UnseenWork
from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.settings import Settings

_BEGIN = re.compile(r"\s*BEGIN(\s+(DEFERRED|IMMEDIATE|EXCLUSIVE))?(\s+TRANSACTION)?\s*;?\s*", re.IGNORECASE)


class SQLiteSession(Session):
    """Each step is one BEGIN IMMEDIATE … COMMIT, which Python's own driver would not send for DDL."""

    def __init__(self, dialect: Questions, connection: Connection, settings: Settings) -> None:
        super().__init__(dialect, connection, settings)
        self._others = OtherConnections(connection)

    _keys: ForeignKeys | None = None
    _own_commit: OwnCommit | None = None
    _rebuilds: RebuildImpl | None = None
    _running: DBAPIConnection | None = None

    @contextmanager
    def lock(self, version_table: str) -> Iterator[None]:
        if self._file is None:  # a database in memory has no second process
            yield
            return
        refuse_read_only(self.connection)
        with LockFile(self._file).held(self.wait_for):
            yield

    def await_readable(self) -> None:
        self._await_readable(self.connection)

    def _await_readable(self, connection: Connection) -> None:
        """Wait for a writer that lets no other program read; after `lock_wait` seconds it is named as the reason."""
        before = self._limit_busy_timeout(connection)

        def look() -> None:
            try:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").close()
            finally:
                connection.rollback()

        try:
            busy.retry_while_locked(look, self._file, self.settings.lock_wait)
        finally:
            pragma.put(connection, "busy_timeout", before)

    def _limit_busy_timeout(self, connection: Connection) -> int:
        """Let no statement wait for longer than a run may. Return what it was, in milliseconds."""
        before = int(str(pragma.get(connection, "busy_timeout")))
        pragma.put(connection, "busy_timeout", min(before, round(self.settings.lock_wait * 1000)))
        return before

    @contextmanager
    def writing(self, migration: MigrationContext) -> Iterator[None]:
        """Switch foreign keys off for the steps and watch them instead; put `RebuildImpl` in the place of Alembic's SQLite.

        Raises DatabaseError "table-lost" for a table of which only the copy of a failed rebuild is left.
        """
        _ = self._file  # asked now, because it ends a transaction
        driver = self._driver
        self._running = driver
        before = driver.isolation_level
        keys, patience = pragma.get(self.connection, "foreign_keys"), self._limit_busy_timeout(self.connection)
        leftovers.refuse_lost_tables(self.connection)
        driver.isolation_level = None
        seen = StatementsSeen(self.connection)
        self._keys = ForeignKeys(seen)
        stock, migration.impl = migration.impl, RebuildImpl.around(migration.impl)
        self._rebuilds = migration.impl
        self._own_commit = OwnCommit(self.connection)
        # SQLite counts what a RETURNING changes only when its rows have been fetched.
        self.unseen = UnseenWork(self.connection, self._changes, operator.eq, late=("RETURNING",))
        self._start_step()
        sa.event.listen(self.connection, "before_cursor_execute", self._no_second_begin, retval=True)
        pragma.put(self.connection, "foreign_keys", "OFF")  # here, because a transaction ignores it silently
        try:
            with (
                warnings.catch_warnings(),
                self._own_commit.installed(),
                seen.watching(self._rebuilds.on_statement, self._keys.on_statement),
                self._others.watched(),
                self.unseen.watched(),
                super().writing(migration),
            ):
                _ignore_what_is_kept()
                yield
        finally:
            self.unseen, migration.impl = None, stock
            sa.event.remove(self.connection, "before_cursor_execute", self._no_second_begin)
            pragma.put(self.connection, "busy_timeout", patience)
            pragma.put(self.connection, "foreign_keys", keys)
            driver.isolation_level = before

    def _begin(self) -> None:
        pragma.leave_transaction(self.connection)
        self._driver.isolation_level = None  # autocommit_block() restores the driver's own way
        self.connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # the step before may have switched them on
        journal.require(self.connection, self._file)
        busy.retry_while_locked(self._begin_writing, self._file, self.limits.lock_wait)

    def _begin_writing(self) -> None:
        self.connection.exec_driver_sql("BEGIN IMMEDIATE").close()

    def _no_second_begin(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> tuple[str, Any]:
        """Let nothing happen when a listener of the project's own sends the BEGIN of its recipe after that of the step."""
        second = not many and bool(_BEGIN.fullmatch(statement)) and self.in_transaction()
        return ("SELECT 1", ()) if second else (statement, parameters)

    def in_transaction(self, *, unknown: bool = True) -> bool:
        return bool(getattr(self.connection.connection.driver_connection, "in_transaction", False))

    def aftermath(self) -> Aftermath:
        own = self._own_commit
        if own is None or not own.is_installed or own.was_taken:
            return Aftermath(None)
        return Aftermath(False, own.unseen)

    def committed_elsewhere(self) -> tuple[str, ...]:
        return tuple(self._others.committed)

    def enter_revision(self) -> None:
        self._others.noting = True

    def leave_revision(self) -> None:
        self._others.noting = False

    def drop_temporary(self, kind: str, name: str) -> None:
        self.connection.exec_driver_sql(f"DROP {kind} IF EXISTS temp.{name}")

    def left_partial(self, statement: str, *, in_parts: bool) -> bool:
        # SQLite counts rows that stay after a failure (OR FAIL, the first ones of many), and none of a statement that it undid.
        return self.unseen.failed_left if self.unseen is not None else in_parts

    def _changes(self) -> int:
        """Return a number that grows with each row that this connection changes, and with each change of the schema."""
        rows: int = getattr(self.connection.connection.driver_connection, "total_changes", 0)
        definitions: int = self.connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
        return rows + definitions

    def forbid_commit(self, forbidden: bool) -> None:
        if self._own_commit is not None:
            (self._own_commit.forbid if forbidden else self._own_commit.allow)()

    def let_roll_back(self) -> None:
        if self._own_commit is not None:
            self._own_commit.let_roll_back()

    def refused_commit(self) -> str | None:
        return None if self._own_commit is None else self._own_commit.refused

    def start_attempt(self, limits: Limits, attempt: int) -> None:
        super().start_attempt(limits, attempt)
        self._others.forget()
        self._start_step()

    def _start_step(self) -> None:
        if self._keys is not None and self._rebuilds is not None and self._own_commit is not None:
            self._keys.forget()
            self._own_commit.forget()
            self._rebuilds.step = RebuildStep(self._keys, self.limits.accept_loss, self.limits.meant)

    def cancel(self) -> None:
        # SQLite allows this in another thread, and it does nothing where no statement runs; aiosqlite waits in the event loop.
        other = self._others.running
        for driver in (self._running, other and other.driver):
            if isinstance(driver, sqlite3.Connection):
                driver.interrupt()

    def is_blocked(self, raised: DBAPIError) -> bool:
        return busy.is_locked(raised) and self._others.is_own(raised)

    def reason(self, raised: BaseException) -> MigratorError | None:
        failed = self._others.failed
        if failed is None or failed.raised is not raised or not failed.in_step or not busy.is_locked(failed.raised):
            return None
        file, own = failed.engine.url.database, self._file
        if own is None or file is None or not Path(file).exists() or not own.samefile(file):
            return None
        return error("step-waits-for-itself", statement=" ".join((failed.raised.statement or "").split())[:200])

    def blockers(self, raised: DBAPIError) -> tuple[str, ...]:
        return busy.lock_holders(self._file)

    @property
    def patience(self) -> float:
        return self.limits.lock_wait

    @contextmanager
    def second_connection(self) -> Iterator[Connection]:
        if self._file is None:
            yield self.connection
            return
        with super().second_connection() as other:
            self._await_readable(other)
            yield other

    def broken_foreign_keys(self) -> tuple[Violation, ...]:
        return () if self._keys is None else tuple(self._keys.new_violations())

    def verify_rebuilds(self) -> None:
        if self._rebuilds is not None:
            self._rebuilds.step.verify(self.connection)

    @cached_property
    def _file(self) -> Path | None:
        return pragma.file_of(self.connection)

    @property
    def _driver(self) -> DBAPIConnection:
        driver = self.connection.connection.dbapi_connection
        assert driver is not None
        return driver


def _ignore_what_is_kept() -> None:
    """Silence warnings of reflection and Alembic about parts that they leave out of a rebuild, because the engine restores them."""
    for text in (
        "Skipped unsupported reflection",
        "Unnamed CHECK constraint",
        "Did not recognize type",
        "Could not instantiate type",
        "Table '_alembic_tmp_",
    ):
        warnings.filterwarnings("ignore", message=text)
