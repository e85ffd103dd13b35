"""What a revision does on connections of its own, next to the run's: it can only wait there for what its own step has locked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import DBAPIError

from migrator.dialects.session import autocommits

_MOST = 1000  # statements that are noted


class Running(NamedTuple):
    """A statement that the run's thread executes on another connection."""

    driver: Any
    """The driver's connection."""
    statement: str


class Failed(NamedTuple):
    """An error on another connection."""

    raised: DBAPIError
    engine: Engine
    in_step: bool
    """Whether the step's own transaction was open."""


class OtherConnections:
    """Listens to SQLAlchemy, which knows every connection of the process, for what the run's own thread does."""

    def __init__(self, connection: Connection) -> None:
        """Hold the run's connection; belongs to the thread that makes it."""
        self.running: Running | None = None
        self.failed: Failed | None = None
        """The last error on another connection."""
        self.processes: set[int] = set()
        """The server processes of the other connections that were used, where the driver knows them."""
        self.noting = False
        """True while the revision itself is running; what the engine does on second connections is not noted."""
        self.committed: dict[str, None] = {}
        """The texts that were executed and committed meanwhile, each once, in their order."""
        self._open: WeakKeyDictionary[Connection, dict[str, None]] = WeakKeyDictionary()
        self._own = connection
        self._thread = threading.get_ident()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Listen in the block."""
        listeners: tuple[tuple[str, Any], ...] = (
            ("before_cursor_execute", self._before),
            ("after_cursor_execute", self._after),
            ("handle_error", self._error),
            ("commit", self._commit),
            ("commit_twophase", self._commit),
            ("rollback", self._rollback),
            ("rollback_twophase", self._rollback),
        )
        for name, listener in listeners:
            sa.event.listen(Engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners:
                sa.event.remove(Engine, name, listener)

    def forget(self) -> None:
        """Begin anew, for another attempt."""
        self.noting = False
        self.committed.clear()
        self._open.clear()

    def is_own(self, raised: BaseException) -> bool:
        """Return whether the error came from the run's own connection."""
        return self.failed is None or raised is not self.failed.raised

    def _is_other(self, connection: Connection | None) -> bool:
        return connection is not self._own and threading.get_ident() == self._thread

    def _before(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._is_other(connection):
            self.running = Running(connection.connection.driver_connection, statement)
            if (process := process_of(self.running.driver)) is not None:
                self.processes.add(process)

    def _after(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._is_other(connection):
            self.running = None
            if not self.noting:
                return
            if _is_committed_by_itself(connection):
                _add(self.committed, statement)
            else:
                _add(self._open.setdefault(connection, {}), statement)

    def _commit(self, connection: Connection, *_: Any) -> None:
        if self._is_other(connection):
            for statement in self._open.pop(connection, {}):
                _add(self.committed, statement)

    def _rollback(self, connection: Connection, *_: Any) -> None:
        self._open.pop(connection, None)

    def _error(self, context: ExceptionContext) -> None:
        if self._is_other(context.connection):
            self.running = None
            if isinstance(context.sqlalchemy_exception, DBAPIError) and context.engine is not None:
                in_step = self._own.in_transaction() and not autocommits(self._own)
                self.failed = Failed(context.sqlalchemy_exception, context.engine, in_step)


def _add(noted: dict[str, None], statement: str) -> None:
    if len(noted) < _MOST:
        noted[statement] = None


def _is_committed_by_itself(connection: Connection) -> bool:
    """Return whether the statement that the connection has just executed stays whatever comes. Sends nothing."""
    driver = connection.connection.dbapi_connection
    autocommit, open_ = getattr(driver, "autocommit", None), getattr(driver, "in_transaction", None)
    return autocommits(connection) or autocommit is True or open_ is False


def process_of(driver: Any) -> int | None:
    """Return the server process that answers a driver's connection, None where the driver does not know. Sends nothing."""
    if (info := getattr(driver, "info", None)) is not None:
        return getattr(info, "backend_pid", None)
    get = getattr(driver, "get_server_pid", None)  # asyncpg's
    return None if get is None else int(get())
