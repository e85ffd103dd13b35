"""Every statement that a step sends to SQLite, announced before it runs to those who have to know what it does.

The foreign keys' check and the rebuilds both depend on having seen all that happened, so this also tells when something was missed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from migrator.dialects.sqlite.sql.statement import Statement, read

Listener = Callable[[Statement], bool]
"""Called before a statement runs; returns whether the same text has to be announced again."""
_DDL = ("CREATE", "DROP", "ALTER")


class StatementsSeen:
    """Listens to one connection. What it knows is about one step; `start_step()` begins the next."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver = connection.connection.driver_connection
        self._asking = False
        self.start_step()

    def start_step(self) -> None:
        """Begin a step: nothing of an earlier one counts."""
        self._paused = False
        self._missed = False
        self._uninteresting: set[str] = set()
        self._changes: int | None = self._total()

    @contextmanager
    def watching(self, *listeners: Listener) -> Iterator[None]:
        """Call the listeners, in this order, before each statement in the block that changes something."""
        self._listeners = listeners
        sa.event.listen(self._connection, "before_cursor_execute", self._before)
        sa.event.listen(self._connection, "after_cursor_execute", self._after)
        try:
            yield
        finally:
            sa.event.remove(self._connection, "before_cursor_execute", self._before)
            sa.event.remove(self._connection, "after_cursor_execute", self._after)

    def pause(self) -> None:
        """Announce nothing until `resume()`: the caller answers for the effect of what runs in between."""
        self._paused = True

    def resume(self) -> None:
        """Announce again; what ran since `pause()` may have changed every table."""
        self._paused = False
        self._uninteresting.clear()

    def ask(self, question: str, *values: str) -> list[Any]:
        """Return the rows of a query of the engine's own, which is not announced. Reads only."""
        self._asking = True
        try:
            return list(self._connection.exec_driver_sql(question, values).all())
        finally:
            self._asking = False

    def all_seen(self) -> bool:
        """Return whether every change of this step came by here; one that did not was made on the driver's own connection."""
        return not self._missed and self._counted_all()

    def _before(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._asking or self._paused or statement in self._uninteresting:
            return
        self._missed |= not self._counted_all()
        does = read(statement)
        if does.verb == "SELECT":
            return
        again = [listener(does) for listener in self._listeners]
        if does.verb in _DDL:
            self._uninteresting.clear()
        elif not any(again):
            self._uninteresting.add(statement)

    def _after(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if not self._asking:
            # SQLite counts what a RETURNING changes only when its rows have been fetched.
            self._changes = None if "RETURNING" in statement.upper() else self._total()

    def _counted_all(self) -> bool:
        return self._changes is None or self._changes == self._total()

    def _total(self) -> int:
        return int(getattr(self._driver, "total_changes", 0))
