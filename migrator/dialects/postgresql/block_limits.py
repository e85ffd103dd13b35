"""The limits of one statement in an `autocommit_block()`, where no transaction carries the settings: set before it, restored after it."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from migrator.dialects.postgresql.lock import ask, put
from migrator.dialects.session import Session, autocommits

_TABLE_LOCKING = re.compile(
    r"\s*(ALTER|DROP|TRUNCATE|LOCK|CREATE\s+(UNIQUE\s+)?INDEX|REINDEX|CLUSTER|COMMENT)\b", re.IGNORECASE
)
_OWN = re.compile(
    r"\b(?:SET|RESET)\b[^;]*\bstatement_timeout\b|\bset_config\b[^;]*\bstatement_timeout\b|\b(?:RESET|DISCARD)\s+ALL\b",
    re.IGNORECASE,
)


class BlockLimits:
    """The wait for a table is limited: not that of CONCURRENTLY, which blocks no other session, and not the wait for a row.

    The time that a statement takes is limited too, until the block sets a limit of its own.
    """

    def __init__(self, session: Session) -> None:
        """Hold the session; `read` asks what the settings are to be afterwards."""
        self.has_own = False
        """Whether the attempt has set a limit of its own for the time that a statement takes."""
        self._session = session
        self._connection = session.connection
        self._lock_timeout = self._statement_timeout = "0"
        self._is_set = False
        self.wait = 0
        """Milliseconds that a statement of this try may wait for a table."""

    def read(self) -> None:
        """Read what is in force now. In the open transaction."""
        question = "SELECT current_setting('lock_timeout') AS wait, current_setting('statement_timeout') AS run"
        found = ask(self._connection, question).one()
        self._lock_timeout, self._statement_timeout = found.wait, found.run

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Set and restore the limits in the block, around each statement."""
        sa.event.listen(self._connection, "before_cursor_execute", self._limit)
        sa.event.listen(self._connection, "after_cursor_execute", self._unlimit)
        try:
            yield
        finally:
            sa.event.remove(self._connection, "before_cursor_execute", self._limit)
            sa.event.remove(self._connection, "after_cursor_execute", self._unlimit)

    def restore(self) -> None:
        """Put the session's settings back. In the open transaction."""
        put(self._connection, "lock_timeout", self._lock_timeout)
        if self._is_set:
            put(self._connection, "statement_timeout", self._statement_timeout)

    @property
    def left(self) -> str | None:
        """What the time limit is to be in a transaction that asks for none, after a statement that failed in a block; else None."""
        return self._statement_timeout if self._is_set else None

    def _limit(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if not self._is_alone(connection):
            return
        if _TABLE_LOCKING.match(statement):
            cursor.execute(f"SET lock_timeout = {0 if 'CONCURRENTLY' in statement.upper() else self.wait}")
        limit, own = self._session.limits.statement_timeout, bool(_OWN.search(statement))
        if limit is not None and not (own or self.has_own or self._session.in_transaction(unknown=False)):
            cursor.execute(f"SET statement_timeout = {limit}")
            self._is_set = True

    def _unlimit(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if not self._is_alone(connection):
            return
        self.has_own = self.has_own or bool(_OWN.search(statement))
        back = [f"SET lock_timeout = '{self._lock_timeout}'"] if _TABLE_LOCKING.match(statement) else []
        if self._is_set and not self._session.in_transaction(unknown=False):
            back.append(f"SET statement_timeout = '{self._statement_timeout}'")
            self._is_set = False
        if back:
            with closing(connection.connection.cursor()) as other:
                for setting in back:
                    other.execute(setting)

    def _is_alone(self, connection: Connection) -> bool:
        """Return whether the statement is one of a block, and none of the engine's own before or after it."""
        unseen = self._session.unseen
        return autocommits(connection) and not (unseen is not None and (unseen.asking or unseen.is_nested))
