"""SQLite: a lock file beside the database, BEGIN IMMEDIATE for every step, foreign keys off around a rebuild."""

import json
import os
import socket
import warnings
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from filelock import FileLock, Timeout
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from migrator.dialects.dialect import Dialect
from migrator.dialects.sqlite import busy, catalog, offline, scratch
from migrator.dialects.sqlite.foreign_keys import ForeignKeys
from migrator.dialects.sqlite.rebuild import leftovers
from migrator.dialects.sqlite.rebuild.impl import Rebuilding, Step
from migrator.errors.tree import DatabaseError, StepFailed

_ADVICE = {
    "unable to open database file": "See that the folder exists and may be written, and that the path is a file.",
    "file is not a database": "Correct the path; this file is something else, or encrypted.",
    "readonly database": "Give the file and its folder write permission, or migrate as its owner.",
    "locked": "Stop the application that writes to it, or wait longer: --lock-wait.",
    "disk I/O error": "See whether the disk is full or failing.",
    "disk is full": "Make room on the disk.",
}


class SQLite(Dialect):
    """Each step is one BEGIN IMMEDIATE … COMMIT, which Python's own driver would not do for DDL."""

    _keys: ForeignKeys
    _impl: Rebuilding
    _path: Path | None = None
    _known_step: dict[str, Any] | None = None

    def missing(self, url: sa.URL) -> str | None:
        path = url.database
        if not path or path == ":memory:" or path.startswith("file:") or Path(path).exists():
            return None
        return path

    @contextmanager
    def lock(self, connection: Connection, version_table: str) -> Iterator[None]:
        path = _file(connection)
        if path is None:  # a database in memory has no second process
            yield
            return
        self._refuse_read_only(connection)
        note = path.with_name(path.name + ".migrator.lock")
        lock = FileLock(note, timeout=0)

        def take() -> bool:
            try:
                lock.acquire()
            except Timeout:
                return False
            except OSError as error:
                raise DatabaseError(
                    "database-unreachable",
                    url=path,
                    reason=error,
                    advice=_ADVICE["readonly database"],
                    source="its folder",
                ) from error
            return True

        self.wait_for(take, lambda: _holder(note))
        try:
            note.write_text(json.dumps(_signature()))
            yield
        finally:
            note.write_text("")
            lock.release()

    def await_readable(self, connection: Connection) -> None:
        """Wait for a writer that lets nobody read; it is named as the reason after `lock_wait` seconds."""
        before = self._limit_busy_timeout(connection)

        def look() -> None:
            try:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").close()
            finally:
                connection.rollback()

        try:
            busy.patiently(look, _file(connection), self.settings.lock_wait)
        finally:
            _pragma(connection, f"busy_timeout = {before}")

    def _limit_busy_timeout(self, connection: Connection) -> int:
        """Let no statement wait for longer than a run may; return what it was, in milliseconds."""
        before = int(str(_pragma(connection, "busy_timeout")))
        _pragma(connection, f"busy_timeout = {min(before, round(self.settings.lock_wait * 1000))}")
        return before

    def _refuse_read_only(self, connection: Connection) -> None:
        """Write nothing new and take it back, before there is a lock file: SQLite begins even where it may not write."""
        patience, version = _pragma(connection, "busy_timeout"), _pragma(connection, "user_version")
        _pragma(connection, "busy_timeout = 0")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.exec_driver_sql(f"PRAGMA user_version = {version}")
        except OperationalError as error:
            if not busy.is_locked(error):  # who is at work now may write, so it can be written to
                raise
        finally:
            connection.rollback()
            _pragma(connection, f"busy_timeout = {patience}")

    @contextmanager
    def writing(self, connection: Connection, migration: MigrationContext) -> Iterator[None]:
        """Foreign keys are off for the steps and watched instead, and Alembic rebuilds tables in our way."""
        driver = connection.connection.dbapi_connection
        assert driver is not None
        before = driver.isolation_level
        keys, patience = _pragma(connection, "foreign_keys"), self._limit_busy_timeout(connection)
        self._path = _file(connection)
        leftovers.refuse_lost_tables(connection)
        driver.isolation_level = None
        self._keys = ForeignKeys(connection)
        stock, migration.impl = migration.impl, Rebuilding.around(migration.impl)
        self._impl = migration.impl
        _pragma(connection, "foreign_keys = OFF")  # here, because inside a transaction it would be ignored in silence
        try:
            with (
                warnings.catch_warnings(),
                self._keys.watching(self._impl.heed),
                super().writing(connection, migration),
            ):
                _ignore_what_is_kept()
                yield
        finally:
            migration.impl = stock
            _pragma(connection, f"busy_timeout = {patience}")
            _pragma(connection, f"foreign_keys = {keys}")
            driver.isolation_level = before

    def begin(self, connection: Connection) -> None:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        driver.isolation_level = None  # autocommit_block() puts the driver's own way back
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # the step before may have switched them on
        begin = partial(connection.exec_driver_sql, "BEGIN IMMEDIATE")
        busy.patiently(begin, self._path, self.settings.lock_wait)
        if self._known_step is not self.step:
            self._known_step = self.step
            self._keys.forget()
            accepted: Any = self.settings.accept_loss  # one text is easily written without the comma
            accepted = frozenset((accepted,) if isinstance(accepted, str) else accepted)
            self._impl.step = Step(self._keys, accepted, self._failure)

    def end(self, connection: Connection) -> None:
        # SQLite goes on with a transaction whose COMMIT found a reader in its way, and SQLAlchemy does not know it.
        driver = connection.connection
        if getattr(driver.driver_connection, "in_transaction", False):
            driver.rollback()
        self._known_step = None

    def _failure(self, code: str, **fields: Any) -> StepFailed:
        return StepFailed(code, **self.step, **fields)

    def verify(self, connection: Connection) -> None:
        found = self._keys.new_violations()
        if found:
            shown = "".join(f"\n  {violation.words}" for violation in found[:20])
            more = f"\n  and {len(found) - 20} more" if len(found) > 20 else ""
            raise self._failure("foreign-keys-broken", count=len(found), rows=shown + more, table=found[0].table)
        self._impl.step.verify(connection)

    def is_blocked(self, error: DBAPIError) -> bool:
        return busy.is_locked(error)

    def blockers(self, connection: Connection, error: DBAPIError) -> tuple[str, ...]:
        return busy.names(self._path)

    @property
    def patience(self) -> float:
        return self.settings.lock_wait

    def offline(self, migration: MigrationContext) -> None:
        migration.impl = offline.Direct.around(migration.impl)

    def unseen_indexes(self, connection: Connection) -> dict[str, list[tuple[str, str]]]:
        return catalog.indexes(connection)

    def definitions(self, connection: Connection, tables: Collection[str]) -> list[str]:
        return catalog.definitions(connection, tables)

    def scratch(self, connection: Connection) -> AbstractContextManager[Connection]:
        return scratch.memory()

    @contextmanager
    def fresh(self, connection: Connection) -> Iterator[Connection]:
        if _file(connection) is None:
            yield connection
            return
        with connection.engine.connect() as other:
            self.await_readable(other)
            yield other

    def explain(self, error: DBAPIError, url: sa.URL) -> tuple[str, str]:
        reason, advice = super().explain(error, url)
        if url.database and Path(url.database).is_dir():
            return f"{url.database} is a folder.", "Name a file in it."
        return reason, next((text for words, text in _ADVICE.items() if words in reason), advice)


def _pragma(connection: Connection, text: str) -> object:
    value = (
        connection.exec_driver_sql(f"PRAGMA {text}").scalar()
        if "=" not in text
        else connection.exec_driver_sql(f"PRAGMA {text}")
    )
    connection.rollback()
    return value


def _ignore_what_is_kept() -> None:
    """Silence what reflection and Alembic say about things that they leave out of a rebuild, and that are put back."""
    for text in (
        "Skipped unsupported reflection",
        "Unnamed CHECK constraint",
        "Did not recognize type",
        "Could not instantiate type",
    ):
        warnings.filterwarnings("ignore", message=text)


def _file(connection: Connection) -> Path | None:
    rows = connection.exec_driver_sql("PRAGMA database_list").all()
    connection.rollback()
    name = next((row[2] for row in rows if row[1] == "main"), "")
    return Path(name) if name else None


def _signature() -> dict[str, object]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}


def _holder(path: Path) -> str:
    try:
        who = json.loads(path.read_text())
        return f"migrator {who['host']}:{who['pid']}, since {who['since']}"
    except (OSError, ValueError, KeyError):  # written a moment from now, or not readable while it is locked
        return "a run that has just begun"
