"""Whether the driver's own connection did more in an `autocommit_block()` than SQLAlchemy was asked for.

Nothing announces such work, and each part of it is committed at once. So the database is asked, before and after each statement that is
seen, for a mark that moves on with what the connection does.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import DBAPIError


class UnseenWork:
    """What is known of one attempt of a step. `mark` asks the database, None where it cannot be asked now.

    `follows` says whether the second mark is the one that comes after the first if nothing happened in between. A statement with one of
    the words in `late` may move it later than at its end.
    """

    def __init__(
        self,
        connection: Connection,
        mark: Callable[[], int | None],
        follows: Callable[[int, int], bool],
        *,
        late: Collection[str] = (),
    ) -> None:
        """Hold the connection; sends nothing."""
        self.found = False
        """Whether there was unseen work."""
        self.failed_left = False
        """Whether the statement that failed last has moved the mark, more than by its failure."""
        self.asking = False
        self._connection = connection
        self._mark, self._follows, self._late = mark, follows, late
        self._in_block = False
        self._running = 0  # statements, of which each but the first is sent by a listener of the one before
        self._last: int | None = None

    @contextmanager
    def watched(self, *around: AbstractContextManager[Any]) -> Iterator[None]:
        """Listen in the block, between `enter()` and `leave()`: around what these other listeners send themselves."""
        sa.event.listen(self._connection, "before_cursor_execute", self._before)
        try:
            with ExitStack() as others:
                for other in around:
                    others.enter_context(other)
                sa.event.listen(self._connection, "after_cursor_execute", self._after)
                sa.event.listen(Engine, "handle_error", self._error)
                try:
                    yield
                finally:
                    sa.event.remove(self._connection, "after_cursor_execute", self._after)
                    sa.event.remove(Engine, "handle_error", self._error)
        finally:
            sa.event.remove(self._connection, "before_cursor_execute", self._before)

    @property
    def is_nested(self) -> bool:
        """Whether the statement that runs was sent by a listener of another one that is about to run."""
        return self._running > 1

    def forget(self) -> None:
        """Begin an attempt: nothing of an earlier one counts. Sends nothing."""
        self.found = self.failed_left = self._in_block = False
        self._last = None

    def enter(self) -> None:
        """Look at the beginning of an `autocommit_block()`."""
        self._in_block, self._running = True, 0
        self._last = self._look()

    def leave(self) -> None:
        """Look at its end."""
        if self._in_block:
            if not self._running:
                self._compare(self._look())
            self._in_block, self._last = False, None

    def _look(self) -> int | None:
        self.asking = True
        try:
            return self._mark()
        finally:
            self.asking = False

    def _compare(self, now: int | None) -> None:
        if self._last is not None and (now is None or not self._follows(self._last, now)):
            self.found = True

    def _before(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._in_block and not self.asking:
            if not self._running:
                now = self._look()
                self._compare(now)
                self._last = now
            self._running += 1

    def _after(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._in_block and not self.asking:
            self._running -= 1
            self._last = None if any(word in statement.upper() for word in self._late) else self._look()

    def _error(self, context: ExceptionContext) -> None:
        if context.connection is not self._connection or not self._in_block or self.asking:
            return
        before, self._last = self._last, None
        self._running -= 1
        if context.is_disconnect or not isinstance(context.sqlalchemy_exception, DBAPIError):
            return
        try:
            self._last = self._look()
        except DBAPIError:  # the statement's own error is the one to be shown
            return
        self.failed_left = before is not None and self._last is not None and not self._follows(before, self._last)
