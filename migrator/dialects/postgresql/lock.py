"""PostgreSQL's advisory lock, held by the very session that migrates, and what is said to those who wait for it.

Taken by polling, because a statement that waits for it deadlocks with CREATE INDEX CONCURRENTLY in the holder; each try is a transaction
of its own, because one that stays open holds it up; held by the session, because `autocommit_block()` ends transactions.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

import os
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.postgresql import sessions
from migrator.errors.tree import LockError

_SPACE = 0x616C656D  # the first half of the lock's key; the second is made from the version table's name
_HELD = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
    AND classid = :space AND objid = :key AND objsubid = 2 AND granted
"""
# Kept while this run waits and works, and put back at the end; one that the server does not know or allow is left out.
_SETTINGS = {
    "client_connection_check_interval": "3s",  # or a dead run's statement, lock and all, goes on to its end
    "idle_session_timeout": "0",
}
_ROUNDS = 4


class AdvisoryLock:
    """One lock a version table's name in each database."""

    def __init__(self, connection: Connection, version_table: str) -> None:
        self._connection = connection
        self._key = {"space": _SPACE, "key": zlib.crc32(version_table.encode()) & 0x7FFFFFFF}

    @contextmanager
    def held(self, wait_for: Callable[[Callable[[], bool], Callable[[], str]], None]) -> Iterator[None]:
        """Wait for the lock, hold it, let it go. Raises LockError behind a transaction pooler, and what `wait_for` raises."""
        connection = self._connection
        refuse_pooler(connection)
        name = f"migrator {socket.gethostname()}:{os.getpid()}"[
            :63
        ]  # given before: nobody is to hold the lock without it
        with changed(connection, {"application_name": name, **_SETTINGS}):
            wait_for(self._take, self._holder)
            try:
                if not self.is_held():
                    raise LockError("lock-behind-pooler")
                connection.rollback()
                yield
            finally:
                self._release()

    def is_held(self, also: str = "", **values: Any) -> bool:
        """Return whether the server process that answers now holds the lock, in the transaction at hand.

        `also` are more expressions for the same question, with their `values`: one round trip less at the start of each step.
        """
        return bool(ask(self._connection, f"SELECT ({_HELD}) AS held{also}", **values, **self._key).scalar_one())

    def _take(self) -> bool:
        held: bool = ask(self._connection, "SELECT pg_try_advisory_lock(:space, :key)", **self._key).scalar_one()
        self._connection.rollback()
        return held

    def _holder(self) -> str:
        who = sessions.holder(self._connection, self._key)
        self._connection.rollback()
        return who

    def _release(self) -> None:
        with until_broken(self._connection):
            # At once, except behind a pooler that was not found out: there the lock is on another server process.
            for _ in range(25):
                if ask(self._connection, "SELECT pg_advisory_unlock(:space, :key)", **self._key).scalar_one():
                    break
                self._connection.rollback()
            self._connection.commit()


def refuse_pooler(connection: Connection) -> None:
    """Behind a transaction pooler a session is not one server process, and a lock would be left on somebody else's.

    A pooler that takes its processes in turn shows itself in two transactions of one connection; one that takes the process
    used last, or has only one, when another connection gets it in between.
    """
    with connection.engine.connect() as other:
        for _ in range(_ROUNDS):
            first = _process(connection)
            same = _process(connection) == first
            if same:
                between = ask(other, "SELECT pg_backend_pid()").scalar_one()  # and `other` stays in its transaction
                same = between != first and _process(connection) == first
                other.rollback()
            if not same:
                raise LockError("lock-behind-pooler")


@contextmanager
def changed(connection: Connection, wanted: dict[str, str]) -> Iterator[None]:
    """Change settings of the session, those that can be, and put them back."""
    asked = sa.text("SELECT name, current_setting(name) FROM pg_settings WHERE name IN :names")
    rows = connection.execute(asked.bindparams(sa.bindparam("names", list(wanted), expanding=True))).all()
    connection.rollback()
    for name, _ in rows:
        try:
            put(connection, name, wanted[name])
            connection.commit()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            connection.rollback()  # client_connection_check_interval, for one, is not for every operating system
    try:
        yield
    finally:
        with until_broken(connection):
            for name, value in rows:
                put(connection, name, value)
            connection.commit()


@contextmanager
def until_broken(connection: Connection) -> Iterator[None]:
    """Do what only matters while the session lives: one that is gone has let go, and its own error is the one to be shown."""
    if not connection.invalidated and connection.in_transaction():
        connection.rollback()
    with suppress(DBAPIError):
        yield


def ask(connection: Connection, question: str, **values: Any) -> sa.CursorResult[Any]:
    """Execute one statement; SQLAlchemy begins a transaction for it where there is none."""
    return connection.execute(sa.text(question), values)


def put(connection: Connection, name: str, value: str, *, local: bool = False) -> None:
    """Change one setting, for the session or for the transaction at hand."""
    ask(connection, "SELECT set_config(:name, :value, :local)", name=name, value=value, local=local)


def _process(connection: Connection) -> int:
    pid: int = ask(connection, "SELECT pg_backend_pid()").scalar_one()
    connection.rollback()
    return pid
