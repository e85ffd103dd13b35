"""The step's transaction, which only the engine may end.

A revision that commits or rolls back for itself leaves a step half there, or a version row without its change. What can be stopped
before it happens is stopped: SQLAlchemy's `commit()`, a statement that ends a transaction, and on SQLite whatever the driver is asked for.
What cannot be stopped is found out: the database is asked whether the transaction is still the one that the step began in.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from migrator.dialects.session import Session, autocommits
from migrator.errors import error
from migrator.errors.tree import MigratorError

_COMMENTS = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_ENDS = re.compile(
    _COMMENTS + r"(?:(?:COMMIT|END|ABORT|ROLLBACK(?!(?:\s+(?:WORK|TRANSACTION))?\s+TO\b)|PREPARE\s+TRANSACTION)\b"
    rf"|(?:BEGIN|START\s+TRANSACTION)\b[^;]*;{_COMMENTS}\S)",
    re.IGNORECASE | re.DOTALL,
)
UNSEEN = "on the driver's own connection"


class StepTransaction:
    """Watches one attempt of a step: from its first statement to the engine's commit, without what is in an `autocommit_block()`."""

    def __init__(self, session: Session, migration: MigrationContext) -> None:
        """Hold the session; sends nothing."""
        self.ended: str | None = None
        """How the revision ended its transaction, or tried to; None as long as it did not."""
        self.unsure: int | None = 0
        """How many of the statements that were seen last may not belong to the transaction that ended; None if any may not."""
        self._session = session
        self._connection = session.connection
        self._migration = migration
        self._watching = False
        self._rolled_back = False
        self._last = ""
        self._listeners: tuple[tuple[str, Callable[..., Any]], ...] = (
            ("before_cursor_execute", self._before),
            ("commit", self._commit),
            ("rollback", self._rollback),
        )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Listen in the block, from `watch()` to `release()`.

        Raises StepFailed in the place of whatever comes of a transaction that the revision ended, or tried to.
        """
        for name, listener in self._listeners:
            sa.event.listen(self._connection, name, listener)
        try:
            with _around_autocommit_blocks(self._migration, self._block, self._inside_block), self._kept_open():
                yield
        except Exception as raised:
            self._note_refused()
            if self.ended is not None and not isinstance(raised, MigratorError):
                raise self._error() from raised
            raise
        finally:
            self.stop()
            for name, listener in self._listeners:
                sa.event.remove(self._connection, name, listener)

    def watch(self) -> None:
        """From now on the transaction belongs to the step. Sends nothing."""
        self._watching = True
        self._session.forbid_commit(True)

    def stop(self) -> None:
        """Let the engine roll back. Sends nothing."""
        connection = self._connection
        if not connection.invalidated and not connection.connection.is_valid:  # given back to its pool
            self.ended = self.ended or f"with close() {UNSEEN}"
            connection.invalidate()
        self._watching = False
        self._session.forbid_commit(False)

    def release(self) -> None:
        """Let the engine commit. Raises StepFailed if the open transaction is not the one that the step began in."""
        try:
            self._look()
            if not self._session.is_same_transaction():
                self._end(UNSEEN, unsure=None)
        finally:
            self.stop()

    @contextmanager
    def _kept_open(self) -> Iterator[None]:
        """Refuse to close the connection, also at the end of a `with` block of it: SQLAlchemy has no event for that."""
        self._connection.close = self._close  # type: ignore[method-assign]
        try:
            yield
        finally:
            del self._connection.close

    def _close(self) -> NoReturn:
        self._end("with close()")

    @contextmanager
    def _block(self) -> Iterator[None]:
        watching = self._watching
        if watching:
            self.release()
            self._session.expect_commit()
        try:
            yield
        finally:
            if watching:
                self.watch()

    @contextmanager
    def _inside_block(self) -> Iterator[None]:
        """Let no block end in the middle of a transaction that it began, which drivers lose or commit, each in its own way."""
        self._session.enter_block()
        try:
            yield
        except BaseException:
            self._session.leave_block(end="ROLLBACK")
            raise
        self._session.leave_block(end="COMMIT")

    @property
    def _is_watched(self) -> bool:
        return self._watching and not autocommits(self._connection)

    def _before(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._is_watched:
            self._look()
            if _ENDS.match(statement):
                self._end(_with(statement))
            self._last = statement

    def _look(self) -> None:
        self._note_refused()
        if self._rolled_back:
            self._end("with rollback()")
        if self.ended is not None or not self._session.in_transaction():
            several = ";" in self._last.rstrip("; \n")
            self._end(_with(self._last) if several else UNSEEN, unsure=int(several))

    def _commit(self, connection: Connection) -> None:
        if self._is_watched:
            self._end("with commit()")

    def _rollback(self, connection: Connection) -> None:
        if self._is_watched:
            self._note_refused()
            self._rolled_back = True  # no error yet: this is also how SQLAlchemy and Alembic end what failed
            self._session.let_roll_back()

    def _note_refused(self) -> None:
        refused = self._session.refused_commit()
        if refused is not None and self.ended is None:
            self.ended = "with rollback()" if self._rolled_back else f"with {refused} {UNSEEN}"

    def _end(self, how: str, *, unsure: int | None = 0) -> NoReturn:
        if self.ended is None:
            self.ended, self.unsure = how, unsure
        raise self._error()

    def _error(self) -> MigratorError:
        return error("step-transaction-ended", how=self.ended)


def _with(statement: str) -> str:
    return f"with the statement {' '.join(statement.split())[:80]!r}"


@contextmanager
def _around_autocommit_blocks(
    migration: MigrationContext, around: Callable[[], Any], inside: Callable[[], Any]
) -> Iterator[None]:
    """Enter `around()` before each `autocommit_block()`, whose own commit is none of the revision's, and `inside()` after its beginning."""
    block = migration.autocommit_block

    @contextmanager
    def surrounded() -> Iterator[None]:
        with around(), block(), inside():
            yield

    migration.autocommit_block = surrounded  # type: ignore[method-assign]
    try:
        yield
    finally:
        migration.autocommit_block = block  # type: ignore[method-assign]
