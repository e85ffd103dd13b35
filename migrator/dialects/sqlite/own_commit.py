"""SQLite's authorizer, which refuses a COMMIT or ROLLBACK before it happens, whichever way it comes.

The driver's own `commit()`, `rollback()` and `executescript()` go by SQLAlchemy's events, and by this they do not.
https://www.sqlite.org/c3ref/set_authorizer.html
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection

# Two of SQLite's constants, which the module sqlite3 has, and drivers that stand in for it may not.
_TRANSACTION, _DENIED, _ALLOWED = sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_DENY, sqlite3.SQLITE_OK


class OwnCommit:
    """While `forbidden`, nobody ends the open transaction, and nothing runs outside of it."""

    def __init__(self, connection: Connection) -> None:
        """Hold the driver's connection; nothing is installed before `installed()`."""
        self.forbidden = False
        self.is_installed = False
        """Whether SQLite asks; a driver that has no way to say so leaves a commit of its own unseen."""
        self.refused: str | None = None
        """What was refused since this was last set: COMMIT, ROLLBACK or BEGIN."""
        self._connection = connection
        self._driver: Any = connection.connection.driver_connection
        self._adapted: Any = connection.connection.dbapi_connection  # SQLAlchemy's face of an async driver

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch in the block. It takes the place of an authorizer of the application's own, and leaves none behind."""
        self._install(self._look)
        try:
            yield
        finally:
            if (
                self._connection.connection.driver_connection is self._driver
            ):  # else it was closed, and with it the authorizer
                self._install(None)

    def _look(self, action: int, name: str | None, *_: object) -> int:
        if not self.forbidden:
            return _ALLOWED
        if action == _TRANSACTION or not self._driver.in_transaction:
            self.refused = self.refused or (name if action == _TRANSACTION else "ROLLBACK")
            return _DENIED
        return _ALLOWED

    def _install(self, authorizer: Any) -> None:
        if self._adapted is self._driver:
            self._driver.set_authorizer(authorizer)
            self.is_installed = True
        elif hasattr(self._driver, "set_authorizer"):  # aiosqlite 0.22 is the first that has it
            self._adapted.run_async(lambda driver: driver.set_authorizer(authorizer))
            self.is_installed = True
