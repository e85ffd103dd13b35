"""SQLite's authorizer, which refuses a COMMIT or ROLLBACK before it happens, whichever way it comes.

The driver's own `commit()`, `rollback()` and `executescript()` go by SQLAlchemy's events, and by this they do not. It is asked when a
statement is prepared, and the driver keeps prepared statements: to install it again is to have them all prepared again.
https://www.sqlite.org/c3ref/set_authorizer.html
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import DBAPIError

# Two of SQLite's constants, which the module sqlite3 has, and drivers that stand in for it may not.
_TRANSACTION, _DENIED, _ALLOWED = sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_DENY, sqlite3.SQLITE_OK
_INTERRUPTIONS = 100  # each is a moment's; a signal sends one every now and then until the run has heard of it
_new = count()


class OwnCommit:
    """Between `forbid()` and `allow()` nobody ends the open transaction but the database itself, and nothing runs outside of it."""

    def __init__(self, connection: Connection) -> None:
        """Hold the driver's connection; nothing is installed before `installed()`."""
        self.is_installed = False
        """Whether SQLite asks; a driver that has no way to say so leaves a commit of its own unseen."""
        self.refused: str | None = None
        """What was refused since `forget()`: COMMIT, ROLLBACK or BEGIN."""
        self.was_taken = False
        """Whether the authorizer was away when the revision had ended, so that nothing is known: a revision can do that."""
        self.unseen = False
        """Whether the transaction ended since then while the revision worked past SQLAlchemy, and rows may have been changed after it."""
        self._connection = connection
        self._driver: Any = connection.connection.driver_connection
        self._adapted: Any = connection.connection.dbapi_connection  # SQLAlchemy's face of an async driver
        self._forbidden = self._is_over = self._asked = self._heard = False
        self._changes = 0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch in the block. It takes the place of an authorizer of the application's own, and leaves none behind."""
        engine = self._connection.engine
        self._install(self._look)
        sa.event.listen(self._connection, "after_cursor_execute", self._count)
        sa.event.listen(engine, "handle_error", self._error)
        try:
            yield
        finally:
            sa.event.remove(engine, "handle_error", self._error)
            sa.event.remove(self._connection, "after_cursor_execute", self._count)
            if self._is_alive:
                self._install(None)

    def forget(self) -> None:
        """Begin anew, for another attempt."""
        self.refused, self.was_taken, self.unseen = None, False, False

    def forbid(self) -> None:
        """The open transaction belongs to the step from now on."""
        self._forbidden, self._is_over = True, False
        self._count()
        self._install(self._look)

    def let_roll_back(self) -> None:
        """Let the open transaction be rolled back now; whatever comes after that is refused."""
        self._notice()
        self._end()

    def allow(self) -> None:
        """Refuse nothing any more."""
        if self._forbidden:
            self._notice()
        self._forbidden = False

    def _is_in_force(self) -> bool:
        """Return whether SQLite still asks, by a statement that reads nothing and was never prepared before."""
        self._asked, self._heard = True, False
        try:
            for _ in range(_INTERRUPTIONS):
                try:
                    self._adapted.cursor().execute(f"SELECT 'authorized {next(_new)}'")
                    break
                except (
                    self._connection.dialect.loaded_dbapi.Error
                ) as raised:  # closed, or what a signal was to end came to its end
                    if "interrupted" not in str(raised):
                        break
        finally:
            self._asked = False
        return self._heard

    @property
    def _is_alive(self) -> bool:
        """Whether the connection was not closed, and with it the authorizer."""
        connection = self._connection
        return not connection.invalidated and connection.connection.driver_connection is self._driver

    def _look(self, action: int, name: str | None, *_: object) -> int:
        self._heard = True
        if self._asked or not self._forbidden:
            return _ALLOWED
        is_open = self._driver.in_transaction
        if is_open and action == _TRANSACTION and name == "ROLLBACK" and self._is_over:
            return _ALLOWED
        if action == _TRANSACTION or not is_open:
            self.refused = self.refused or (name if action == _TRANSACTION and is_open else "ROLLBACK")
            return _DENIED
        return _ALLOWED

    def _count(self, *_: object) -> None:
        self._changes = getattr(self._driver, "total_changes", 0)

    def _error(self, context: ExceptionContext) -> None:
        """A statement that SQLAlchemy has executed met what makes SQLite roll back by itself: a conflict, a trigger, a full disk."""
        is_own = context.connection is self._connection and isinstance(context.sqlalchemy_exception, DBAPIError)
        if is_own and self._forbidden and not self._is_over and self._is_closed:
            self._end()

    def _notice(self) -> None:
        self._look_for_itself()
        if not self._is_over and self._is_closed:
            self.unseen = self.unseen or self._changes != getattr(self._driver, "total_changes", 0)

    def _look_for_itself(self) -> None:
        if self.is_installed and not self._is_in_force():
            self.was_taken = True

    def _end(self) -> None:
        self._look_for_itself()
        self._is_over = True
        self._install(self._look)

    @property
    def _is_closed(self) -> bool:
        return self._is_alive and not self._driver.in_transaction

    def _install(self, authorizer: Any) -> None:
        if self._adapted is self._driver:
            self._driver.set_authorizer(authorizer)
            self.is_installed = True
        elif hasattr(self._driver, "set_authorizer"):  # aiosqlite 0.22 is the first that has it
            self._adapted.run_async(lambda driver: driver.set_authorizer(authorizer))
            self.is_installed = True
