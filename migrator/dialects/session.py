"""One run on one connection: its lock, its transactions, its waiting, and what the database must still be asked before a commit."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from migrator.dialects.questions import Questions
from migrator.dialects.unseen_work import UnseenWork
from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.settings import Settings

_log = logging.getLogger("migrator")
_REPEAT = 10.0  # seconds between two log lines of a waiting run


@dataclass(frozen=True)
class Limits:
    """How long a step may wait and run, and what it may lose: the settings, overridden by what its revision file says."""

    lock_wait: float
    """Seconds to wait for another run, or on SQLite for any other program that holds the database."""
    lock_timeout: int
    """Milliseconds that a statement may queue for a table's lock on PostgreSQL."""
    statement_timeout: int | None
    """Milliseconds that one statement may take on PostgreSQL, None for the server's own setting."""
    retry_for: float
    """Seconds during which a step that ran into `lock_timeout` is tried again on PostgreSQL."""
    idle_limit: float | None = None
    """Seconds that the step may ask PostgreSQL nothing, None for the setting's value or the server's own for the role, if it is shorter."""
    accept_loss: frozenset[str] = frozenset()
    """What a rebuild on SQLite may lose, in the words of the error "rebuild-loses"."""
    meant: frozenset[str] = frozenset()
    """What of it goes even where it could be kept, because the revision's own file names it."""


class BrokenKey(Protocol):
    """A row whose foreign key names no row. `str()` says which row, which key and which parent."""

    @property
    def table(self) -> str:
        """The table that has the row."""


class Aftermath(NamedTuple):
    """What the database says of the transactions of an attempt that failed."""

    committed: bool | None = False
    """Whether one was committed that the attempt began and the engine did not end; None where that is not known, or not yet."""
    unseen: bool = False
    """Whether something came after them on the same connection that the engine has not seen, and that may have been committed."""


class Session:
    """What a run asks of its database. A database overrides what it has to say; here nothing is locked, found or refused.

    The order is `await_readable`, `lock`, `writing`, and in there for each try of a step `start_attempt`, the questions, `end_attempt`. A
    database that no other session knows needs no `lock`.
    """

    def __init__(self, dialect: Questions, connection: Connection, settings: Settings) -> None:
        """Hold the connection; nothing is sent. The limits are those of the settings until the first `start_attempt`."""
        self.dialect = dialect
        self.connection = connection
        self.settings = settings
        self.limits = Limits(settings.lock_wait, settings.lock_timeout, settings.statement_timeout, settings.retry_for)
        self.attempt = 1
        """Which try of the step this is, from 1."""
        self.temporary: set[str] = set()
        """The temporary tables, views and sequences that the run's steps have made, as they are written."""

    def lock(self, version_table: str) -> AbstractContextManager[None]:
        """Hold the lock that lets one run at a time change this database. Raises LockError after `settings.lock_wait` seconds."""
        return nullcontext()

    def wait_for(self, take: Callable[[], bool], holder: Callable[[], str]) -> None:
        """Call `take` until it returns true, and log now and then who holds the lock. Raises LockError after `lock_wait` seconds."""
        started, said, pause = time.monotonic(), float("-inf"), 0.05
        while not take():
            who, now = holder(), time.monotonic()
            if now - started >= self.settings.lock_wait:
                raise error("lock-timeout", holder=who, seconds=round(now - started))
            if now - said >= _REPEAT:
                _log.warning("Waiting for another run: %s", who)
                said = now
            time.sleep(random.uniform(pause / 2, pause))
            pause = min(pause * 1.5, 1.0)

    def await_readable(self) -> None:
        """Wait until the database can be read at all. Raises LockError after `settings.lock_wait` seconds. No transaction stays open."""

    @contextmanager
    def writing(self, migration: MigrationContext) -> Iterator[None]:
        """Prepare the connection for steps and restore it afterwards. Each transaction in the block begins under the step's limits."""
        sa.event.listen(self.connection, "begin", self._on_begin)
        try:
            yield
        finally:
            sa.event.remove(self.connection, "begin", self._on_begin)

    def _on_begin(self, connection: Connection) -> None:
        if not autocommits(connection):
            self._begin()

    def _begin(self) -> None:
        """Send what each transaction starts with."""

    unseen: UnseenWork | None = None
    """Watches the driver's connection in each `autocommit_block()`, while steps are written."""
    aborts = False
    """Whether a statement that fails makes every later one of its transaction fail, and its COMMIT a ROLLBACK."""

    def enter_block(self) -> None:
        """Look at what an `autocommit_block()` begins with; called when SQLAlchemy commits each statement by itself."""
        if self.unseen is not None:
            self.unseen.enter()

    def leave_block(self, *, end: str) -> None:
        """Execute `end`, which is COMMIT or ROLLBACK, if the block leaves a transaction open, and look at what was done unseen."""
        if self.connection.closed or self.connection.invalidated:
            return
        if self.in_transaction(unknown=False):
            self.connection.exec_driver_sql(end)
        if self.unseen is not None:
            self.unseen.leave()

    @property
    def is_asking(self) -> bool:
        """Whether the statement that runs is the engine's look at the driver's connection."""
        return self.unseen is not None and self.unseen.asking

    def transaction_number(self) -> int | None:
        """Return the database's number of the open transaction; None if it has changed nothing, or if there are no numbers."""
        return None

    def is_committed(self, number: int) -> bool | None:
        """Return whether the transaction of that number was committed; None if that is not known yet. Reads only."""
        return None

    def drop_temporary(self, kind: str, name: str) -> None:
        """Drop what an earlier try of the step has made in this session, if it is still there; `name` is as it is written."""

    def in_transaction(self, *, unknown: bool = True) -> bool:
        """Return whether the driver knows of an open transaction; `unknown` where it cannot tell. Sends nothing."""
        return unknown

    def is_same_transaction(self) -> bool:
        """Return whether the open transaction is the one that began last. Asks the database where the driver cannot tell."""
        return self.in_transaction()

    def aftermath(self) -> Aftermath:
        """Return what became of the transactions of the attempt.

        Asked after the attempt, in a transaction of its own, on a second connection where the first is lost.
        """
        return Aftermath()

    def committed_elsewhere(self) -> tuple[str, ...]:
        """Return what the revision has committed so far on other connections of SQLAlchemy's, statements that read among it."""
        return ()

    def expect_commit(self) -> None:
        """Know that the engine itself commits the open transaction now. Sends nothing."""

    def forbid_commit(self, forbidden: bool) -> None:
        """Refuse, or no longer refuse, whatever ends the open transaction, as far as the driver can be told to. Sends nothing."""

    def let_roll_back(self) -> None:
        """Let SQLAlchemy roll back what is open, and refuse whatever comes after that, as far as the driver can be told to."""

    def refused_commit(self) -> str | None:
        """Return the statement that was refused since the attempt began; None if none was."""
        return None

    def enter_revision(self) -> None:
        """Know that the revision's own function runs now, in the open transaction, which has all that the session had before."""

    def leave_revision(self) -> None:
        """Know that it is over: what follows finds the version table where the run found it."""

    def start_attempt(self, limits: Limits, attempt: int) -> None:
        """Forget the step before and the try before; called before each try of each step, outside of a transaction. Sends nothing.

        `attempt` counts from 1.
        """
        self.limits, self.attempt = limits, attempt
        if self.unseen is not None:
            self.unseen.forget()

    def end_attempt(self) -> None:
        """Roll back what the try left open in the driver; called after each try, when SQLAlchemy's transaction is over.

        SQLAlchemy takes a transaction for ended whose COMMIT was refused, by a reader on SQLite, or by the engine.
        """
        if not self.connection.invalidated and self.in_transaction():
            self.connection.connection.rollback()

    def already_done(self, statement: str, *, begun: bool) -> bool:
        """Return whether a statement of an interrupted step has had its effect; `begun` if its end was not seen.

        Removes what it left half done, so that it can be executed again.
        """
        return not begun

    def left_partial(self, statement: str, *, in_parts: bool) -> bool:
        """Return whether a statement that the database refused may have left a part of itself nevertheless. Reads only.

        `in_parts` says that it was several statements, or one that was executed several times.
        """
        return in_parts

    def may_write(self, functions: set[str]) -> bool:
        """Return whether one of these functions of the database may change rows; words of SQL among them are no functions. Reads only."""
        return False

    def user(self) -> str | None:
        """Return the database's user, None if there are no users."""
        return None

    def is_blocked(self, raised: DBAPIError) -> bool:
        """Return whether the error says that another session holds what the step needs, and not the revision's own. Reads only."""
        return False

    def reason(self, raised: BaseException) -> MigratorError | None:
        """Return the error that says why the step failed, where more is known than the driver said. Called after its transaction."""
        return None

    def cancel(self) -> None:
        """Cancel the statement that the run executes now, if it does. The only method that another thread may call."""

    def blockers(self, raised: DBAPIError) -> tuple[str, ...]:
        """Return the sessions that may hold what the step needs, each in a few words. In a transaction of its own, changes no row."""
        return ()

    @property
    def patience(self) -> float:
        """Seconds during which a blocked step is tried again."""
        return 0.0

    @contextmanager
    def second_connection(self) -> Iterator[Connection]:
        """Open another connection to the same database, which has seen nothing of the run.

        From a pool of its own, made as the engine's is: that one may have a single connection to give, or give the run's again.
        """
        with connected_anew(self.connection.engine) as other:
            yield other

    def broken_foreign_keys(self) -> tuple[BrokenKey, ...]:
        """Return the rows without a parent that the step made. In the step's transaction, after its change. Reads only."""
        return ()

    def verify_rebuilds(self) -> None:
        """Raise StepFailed "rebuild-loses" if a rebuild lost what the step may not lose. In its transaction, after its change.

        Drops views and triggers that no longer work and whose loss the revision accepts.
        """

    def invalid_indexes(self) -> tuple[str, ...]:
        """Return the INVALID ones of the indexes that the step created, or took for existing (IF NOT EXISTS). Reads only.

        Quoted, with their schema. Forgets the step's indexes if all are valid.
        """
        return ()


@contextmanager
def connected_anew(engine: Engine) -> Iterator[Connection]:
    """Open a connection of the engine, with its options and listeners, that is not from its pool, and close it afterwards."""
    pool, driver = engine.pool.recreate(), engine.dialect.loaded_dbapi
    try:
        try:
            opened = pool.connect()
        except driver.Error as cause:
            raise DBAPIError.instance(None, None, cause, driver.Error, dialect=engine.dialect) from cause
        with Connection(engine, opened) as other:
            yield other
    finally:
        pool.dispose()


def autocommits(connection: Connection) -> bool:
    """Return whether SQLAlchemy was told to commit each statement by itself, as in an `autocommit_block()`. Sends nothing."""
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
