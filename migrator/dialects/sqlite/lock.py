"""A lock file next to a SQLite database: one run at a time on this machine. It stays; the lock on it ends with the process."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from migrator.dialects.sqlite import busy, pragma
from migrator.errors import error


class LockFile:
    """The lock of one database file."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._note = database.with_name(database.name + ".migrator.lock")
        self._lock = FileLock(self._note, timeout=0)

    @contextmanager
    def held(self, wait_for: Callable[[Callable[[], bool], Callable[[], str]], None]) -> Iterator[None]:
        """Wait for the lock, hold it with a note of who does, release it. Writes the file.

        Raises DatabaseError if the folder cannot be written, and what `wait_for` raises.
        """
        wait_for(self._take, self._holder)
        try:
            self._note.write_text(json.dumps(_signature()))
            yield
        finally:
            self._note.write_text("")
            self._lock.release()

    def _take(self) -> bool:
        try:
            self._lock.acquire()
        except Timeout:
            return False
        except OSError as cause:
            raise error(
                "database-unreachable",
                url=self._database,
                reason=cause,
                advice="Give the file and its folder write permission, or migrate as its owner.",
                source="its folder",
            ) from cause
        return True

    def _holder(self) -> str:
        try:
            who = json.loads(self._note.read_text())
            return f"migrator {who['host']}:{who['pid']}, since {who['since']}"
        except (OSError, ValueError, KeyError):  # written a moment from now, or not readable while it is locked
            return "a run that has just begun"


def refuse_read_only(connection: Connection) -> None:
    """Raise OperationalError if the database cannot be written, before there is a lock file. Writes what was there, and rolls back.

    BEGIN IMMEDIATE alone does not show it: SQLite begins even if it may not write.
    """
    patience, version = pragma.get(connection, "busy_timeout"), pragma.get(connection, "user_version")
    pragma.put(connection, "busy_timeout", 0)
    try:
        pragma.outside(connection, "BEGIN IMMEDIATE")
        connection.exec_driver_sql(f"PRAGMA user_version = {version}")
    except OperationalError as cause:
        if not busy.is_locked(cause):  # the program that holds it may write, so it can be written
            raise
    finally:
        connection.rollback()
        pragma.put(connection, "busy_timeout", patience)


def _signature() -> dict[str, object]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
