"""The questions that a run asks of a database; here each is answered "no, nothing"."""

import logging
import random
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.errors.tree import DatabaseError, LockError
from migrator.settings import Settings
from migrator.url import mask, scrub

log = logging.getLogger("migrator")
_SAY_AGAIN = 10.0  # seconds between two lines of a waiting run


class Dialect:
    """One object a run. What a subclass leaves out is answered here."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.attempt = 1
        """Which try of the step this is, from 1."""
        self.step: dict[str, Any] = {}
        """What an error has to say of the step at work: its revision, file and direction, and what was applied before."""

    def missing(self, url: sa.URL) -> str | None:
        """Return the path of a database that would be created by connecting, None where there is no such thing. Reads only."""
        return None

    def lock(self, connection: Connection, version_table: str) -> AbstractContextManager[None]:
        """Hold the lock that lets one run at a time change this database; LockError after `lock_wait` seconds."""
        return nullcontext()

    def wait_for(self, take: Callable[[], bool], holder: Callable[[], str]) -> None:
        """Call `take` until it is true, saying now and then who holds the lock; LockError after `lock_wait` seconds."""
        started, said, pause = time.monotonic(), float("-inf"), 0.05
        while not take():
            who, now = holder(), time.monotonic()
            if now - started >= self.settings.lock_wait:
                raise LockError("lock-not-had", holder=who, seconds=round(now - started))
            if now - said >= _SAY_AGAIN:
                log.warning("Waiting for another run: %s", who)
                said = now
            time.sleep(random.uniform(pause / 2, pause))
            pause = min(pause * 1.5, 1.0)

    def await_readable(self, connection: Connection) -> None:
        """Wait until the database can be read at all; LockError after `lock_wait` seconds."""

    @contextmanager
    def writing(self, connection: Connection, migration: MigrationContext) -> Iterator[None]:
        """Prepare the connection for steps, and give it back as it was; `begin` is called in every transaction between."""
        sa.event.listen(connection, "begin", self._on_begin)
        try:
            yield
        finally:
            sa.event.remove(connection, "begin", self._on_begin)

    def _on_begin(self, connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            self.begin(connection)

    def begin(self, connection: Connection) -> None:
        """Say what a step's transaction starts with."""

    def end(self, connection: Connection) -> None:
        """Leave nothing of a try open on the driver's side; called after every one, when SQLAlchemy's transaction is over."""

    def verify(self, connection: Connection) -> None:
        """Raise what forbids to commit the step; called in its transaction, after the change."""

    def finished(self, connection: Connection, statement: str, *, begun: bool) -> bool:
        """Return whether a statement of an interrupted step has had its effect; `begun` if its end was not seen.

        Clears away what it left half done, so that it can be executed again.
        """
        return not begun

    def left_part(self, connection: Connection, statement: str) -> bool:
        """Return whether a statement that the database refused has left a part of itself all the same. Reads only."""
        return False

    def unseen_indexes(self, connection: Connection) -> dict[str, list[tuple[str, str]]]:
        """Return for each table the indexes that SQLAlchemy does not reflect: their names, and what stands after the table's."""
        return {}

    def definitions(self, connection: Connection, tables: Collection[str]) -> list[str]:
        """Return the SQL that makes these tables with all that hangs on them, where the database keeps it word for word."""
        return []

    def schemas(self, connection: Connection) -> tuple[str | None, ...]:
        """Return the schemas in which tables may be, None for the default one."""
        return (None,)

    def hold_still(self, connection: Connection, tables: Collection[str]) -> None:
        """Keep other sessions from changing the definition of these tables until the transaction ends; rows may change."""

    def scratch(self, connection: Connection) -> AbstractContextManager[Connection]:
        """Make an empty database of the same kind for a while, and connect to it; DatabaseError where that is not allowed."""
        raise NotImplementedError

    def offline(self, migration: MigrationContext) -> None:
        """Prepare a run that writes SQL to a file."""

    def user(self, connection: Connection) -> str | None:
        """Return the database's user, None where there are no users."""
        return None

    def in_autocommit(self, connection: Connection) -> bool:
        """Return whether the connection commits each statement by itself."""
        return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"

    def is_blocked(self, error: DBAPIError) -> bool:
        """Return whether the error says that another session holds what the step needs."""
        return False

    def blockers(self, connection: Connection, error: DBAPIError) -> tuple[str, ...]:
        """Name the sessions that may hold what the step needs, in words. Reads only, in a transaction of its own."""
        return ()

    @property
    def patience(self) -> float:
        """Seconds during which a blocked step is tried again."""
        return 0.0

    def fresh(self, connection: Connection) -> AbstractContextManager[Connection]:
        """Return a connection to the same database that has seen nothing of the run."""
        return connection.engine.connect()

    @contextmanager
    def explained(self, url: sa.URL) -> Iterator[None]:
        """Turn what the driver raises outside of a step into a DatabaseError that says what to do."""
        try:
            yield
        except DBAPIError as error:
            reason, advice = self.explain(error, url)
            raise DatabaseError(
                "database-unreachable",
                url=mask(url),
                reason=scrub(reason, url),
                advice=advice,
                source=self.settings.source,
            ) from error

    def explain(self, error: DBAPIError, url: sa.URL) -> tuple[str, str]:
        """Return why the database cannot be used, and what to do, in words for people."""
        return " ".join(str(error.orig).split()), "Read what the database says."
