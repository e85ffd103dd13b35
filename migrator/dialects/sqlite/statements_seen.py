"""Every statement that a step sends to SQLite, announced before it runs to those who have to know what it does.

The foreign keys' check and the rebuilds both depend on having seen all that happened, so this also tells when something was missed:
SQLite counts the rows that a connection changes, and the changes of a schema.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from migrator.dialects.sqlite.sql.statement import Statement, read
from migrator.dialects.sqlite.sql.tokens import folded

Listener = Callable[[Statement], bool]
"""Called before a statement runs; returns whether the same text has to be announced again."""
_DDL = ("CREATE", "DROP", "ALTER")
_SCHEMA_STAYS = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|VALUES)\b", re.IGNORECASE)


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
        self._version: int | None = None

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
        return not self._missed and self._counted_all() and self._version in (None, self._schema_version())

    def _before(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._asking or self._paused or statement in self._uninteresting:
            return
        self._missed |= not self._counted_all()
        if self._version is not None and not _SCHEMA_STAYS.match(statement):
            self._missed |= self._version != self._schema_version()
        does = read(statement)
        if does.verb == "SELECT":
            return
        if does.verb in _DDL:
            does = replace(does, schema=does.schema or self._found_in(does))
        again = [listener(does) for listener in self._listeners]
        if does.verb in _DDL:
            self._uninteresting.clear()
        elif not any(again):
            self._uninteresting.add(statement)

    def _after(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if not self._asking:
            # SQLite counts what a RETURNING changes only when its rows have been fetched.
            self._changes = None if "RETURNING" in statement.upper() else self._total()
            if not _SCHEMA_STAYS.match(statement):  # also BEGIN, and a return to a savepoint
                self._version = self._schema_version()

    def _counted_all(self) -> bool:
        return self._changes is None or self._changes == self._total()

    def _total(self) -> int:
        return int(getattr(self._driver, "total_changes", 0))

    def _schema_version(self) -> int:
        # By a cursor of its own: others who listen may not have heard yet of the statement that just ran.
        with closing(self._connection.connection.cursor()) as cursor:
            cursor.execute("PRAGMA main.schema_version")
            [(version,)] = cursor.fetchall()
        return int(version)

    def _found_in(self, does: Statement) -> str:
        """Return the schema of a name that is written without one: a temporary object hides one of the same name."""
        if does.verb == "CREATE" and not does.on:
            return "main"
        name = does.on or does.name
        there = self.ask("SELECT name FROM sqlite_temp_master")
        return "temp" if folded(name) in {folded(row[0]) for row in there} else "main"
