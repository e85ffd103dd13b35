"""SQLite: a lock file beside the database, BEGIN IMMEDIATE for every step, foreign keys off around a rebuild."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.base import Dialect
from migrator.errors import DatabaseError

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

    @contextmanager
    def writing(self, connection: Connection) -> Iterator[None]:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        before = driver.isolation_level
        keys = _pragma(connection, "foreign_keys")
        driver.isolation_level = None
        _pragma(connection, "foreign_keys = OFF")  # here, because inside a transaction it would be ignored in silence
        try:
            with super().writing(connection):
                yield
        finally:
            _pragma(connection, f"foreign_keys = {keys}")
            driver.isolation_level = before

    def begin(self, connection: Connection) -> None:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        driver.isolation_level = None  # autocommit_block() puts the driver's own way back
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def is_blocked(self, error: DBAPIError) -> bool:
        return "locked" in str(error.orig)

    def blockers(self, connection: Connection, error: DBAPIError) -> tuple[str, ...]:
        return ("a program that has the database open in a transaction; SQLite does not say which",)

    @property
    def patience(self) -> float:
        return self.settings.lock_wait

    def fresh(self, connection: Connection) -> AbstractContextManager[Connection]:
        return nullcontext(connection) if _file(connection) is None else connection.engine.connect()

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
