"""PostgreSQL's advisory lock, held by the session that migrates, and what a waiting run learns about its holder.

A run polls for it, because a statement that waits deadlocks with CREATE INDEX CONCURRENTLY in the holder. Each poll is a transaction of
its own, because one that stays open delays CONCURRENTLY. The session holds it, because `autocommit_block()` ends transactions.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

import logging
import os
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from migrator.dialects.postgresql import sessions
from migrator.dialects.session import connected_anew
from migrator.errors import error
from migrator.errors.tree import MigratorError

_log = logging.getLogger("migrator")
_SPACE = 0x616C656D  # the first half of the lock's key; the second is made from the version table's name
_HELD = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
    AND classid = :space AND objid = :key AND objsubid = 2 AND granted
"""
# In force while this run waits and works, restored at the end. One that the server does not know or allow is left out.
_SETTINGS = {
    "client_connection_check_interval": "3s",  # without it a killed run's statement continues to its end, with the lock
    # A machine that vanishes takes no leave: so the server finds out within half a minute, and not within two hours.
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
    "idle_session_timeout": "10min",  # each transaction of a step says more exactly what it needs
}
_ROUNDS = 4


class AdvisoryLock:
    """One lock for each name of a version table in each database."""

    def __init__(self, connection: Connection, version_table: str) -> None:
        self._connection = connection
        self._key = {"space": _SPACE, "key": zlib.crc32(version_table.encode()) & 0x7FFFFFFF}
        self._process = 0

    @contextmanager
    def held(self, wait_for: Callable[[Callable[[], bool], Callable[[], str]], None]) -> Iterator[None]:
        """Wait for the lock, hold it, release it. No transaction stays open before the block.

        Raises LockError "lock-behind-pooler" if a transaction pooler is in between, and what `wait_for` raises.
        """
        connection = self._connection
        refuse_pooler(connection)
        # Set before the lock is taken: no run holds the lock without this name.
        name = f"migrator {socket.gethostname()}:{os.getpid()}"[:63]
        with changed(connection, {"application_name": name, **_SETTINGS}):
            wait_for(self._take, self._holder)
            try:
                if not self.is_held():
                    raise error("lock-behind-pooler")
                connection.rollback()
                self._process = _process(connection)
                yield
            finally:
                self._release()

    def is_held(self) -> bool:
        """Return whether the server process that answers now holds the lock. Reads in the open transaction."""
        return bool(self.look().held)

    def look(self, also: str = "", **values: Any) -> sa.Row[Any]:
        """Return a row whose `held` says the same, with more expressions of one SELECT and their `values`: it saves a round trip."""
        return ask(self._connection, f"SELECT ({_HELD}) AS held{also}", **values, **self._key).one()

    def lost(self) -> MigratorError:
        """Return the error of a lock that is not held any more: who let it go. Ends the open transaction."""
        self._connection.rollback()
        taken_by, self._process = self._process, 0
        return error("lock-released" if _process(self._connection) == taken_by else "lock-lost")

    def _take(self) -> bool:
        held: bool = ask(self._connection, "SELECT pg_try_advisory_lock(:space, :key)", **self._key).scalar_one()
        self._connection.rollback()
        return held

    def _holder(self) -> str:
        who = sessions.holder(self._connection, self._key)
        self._connection.rollback()
        return who

    def _release(self) -> None:
        restore(self._connection, self._unlock)

    def _unlock(self) -> None:
        # The first one succeeds, unless a pooler went unnoticed: then the lock is on another server process.
        for _ in range(25):
            if ask(self._connection, "SELECT pg_advisory_unlock(:space, :key)", **self._key).scalar_one():
                break
            self._connection.rollback()
        else:
            if self._process:
                _log.warning("The migration lock was gone before the end of the run: %s", self.lost().fact)
        self._connection.commit()


def refuse_pooler(connection: Connection) -> None:
    """Raise LockError "lock-behind-pooler" if one connection is not one server process: the lock would stay on another client's."""
    if is_pooled(connection):
        raise error("lock-behind-pooler")


def is_pooled(connection: Connection) -> bool:
    """Return whether one connection is not one server process.

    A pooler that takes its processes in turn shows itself in two transactions of one connection. One that takes the process used
    last, or has only one, shows itself when another connection gets that process in between. Reads only; opens a second connection.
    Raises DatabaseError "connection-single" if there is no other connection.
    """
    with connected_anew(connection.engine) as other:
        if other.connection.driver_connection is connection.connection.driver_connection:
            raise error("connection-single")
        for _ in range(_ROUNDS):
            first = _process(connection)
            same = _process(connection) == first
            if same:
                between = ask(other, "SELECT pg_backend_pid()").scalar_one()  # and `other` stays in its transaction
                same = between != first and _process(connection) == first
                other.rollback()
            if not same:
                return True
    return False


@contextmanager
def changed(connection: Connection, wanted: dict[str, str]) -> Iterator[None]:
    """Change those settings of the session that can be changed, and restore them. No transaction stays open."""
    asked = sa.text("SELECT name, current_setting(name) FROM pg_settings WHERE name IN :names")
    rows = connection.execute(asked.bindparams(sa.bindparam("names", list(wanted), expanding=True))).all()
    connection.rollback()
    before = {row.name: row.current_setting for row in rows}
    new = {name: wanted[name] for name in before}
    # client_connection_check_interval, for example, does not exist on every operating system, and then all are refused together.
    if not _put_all(connection, new):
        for name, value in new.items():
            _put_all(connection, {name: value})
    try:
        yield
    finally:
        restore(connection, lambda: _put_all(connection, before))


def restore(connection: Connection, action: Callable[[], object]) -> None:
    """Do what only matters while the session lives. A lost one has released everything, and its own error is the one to show."""
    if connection.in_transaction():
        connection.rollback()
    if not connection.invalidated:  # else SQLAlchemy would open another session for it
        with suppress(
            DBAPIError, PendingRollbackError
        ):  # the second is what SQLAlchemy says of a lost session, without asking it
            action()


def ask(connection: Connection, question: str, **values: Any) -> sa.CursorResult[Any]:
    """Execute one statement; SQLAlchemy begins a transaction for it if there is none."""
    return connection.execute(sa.text(question), values)


def _put_all(connection: Connection, values: dict[str, str]) -> bool:
    """Change settings of the session in one statement; return whether the server allows that. No transaction stays open."""
    calls = ", ".join(f"set_config('{name}', :{name}, false)" for name in values)
    try:
        ask(connection, f"SELECT {calls}", **values)
        connection.commit()
    except DBAPIError as cause:
        if cause.connection_invalidated:
            raise
        connection.rollback()
        return False
    return True


def put(connection: Connection, name: str, value: str, *, local: bool = False) -> None:
    """Change one setting, for the session, or for the open transaction only if `local`."""
    ask(connection, "SELECT set_config(:name, :value, :local)", name=name, value=value, local=local)


def _process(connection: Connection) -> int:
    pid: int = ask(connection, "SELECT pg_backend_pid()").scalar_one()
    connection.rollback()
    return pid
