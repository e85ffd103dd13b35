"""What a try has committed before its step is done, which only an `autocommit_block()` makes possible.

It is written to the log as it happens: together with what the block's beginning commits, and around each statement inside the block. A run
that was killed there is taken up by the next one: it leaves out, in their order, the statements that are known to be committed. One whose
end was not seen is executed again: either that has its effect, or the database says that it had one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.dialect import Dialect
from migrator.errors.tree import StepFailed

Note = Callable[[list[str]], None]
BEGUN = "begun: "
_READING = ("SELECT", "PRAGMA", "SHOW", "SET ", "BEGIN", "WITH", "EXPLAIN", "SAVEPOINT", "RELEASE", "ROLLBACK")
_DONE_ALREADY = {  # what PostgreSQL and SQLite say to a statement that had its effect before
    "CREATE": ("already exists",),
    "ALTER": ("already exists", "duplicate column"),
    "DROP": ("does not exist", "no such"),
}
_DDL = ("CREATE", "ALTER", "DROP", "COMMENT", "REINDEX", "VACUUM", "ANALYZE", "GRANT", "REVOKE")


def is_repeatable(statements: Sequence[str]) -> bool:
    """Return whether a step that committed just these can go on behind them: DDL does not depend on the rows it met."""
    return all(text.removeprefix(BEGUN).upper().startswith(_DDL) for text in statements)


class Journal:
    """Listens to one try of a step. `committed` are its statements so far; `note` writes them down on the same connection."""

    def __init__(self, connection: Connection, dialect: Dialect, known: Sequence[str], *, note: Note) -> None:
        self.committed: list[str] = []
        self.listening = False
        """True while the revision itself is at work: from its first statement until the version row is written."""
        self.refuted = False
        """Whether the log says of a statement that it was begun, and the database has answered since that it was not done."""
        self.had_ended = False
        """Whether this try failed because a statement, whose end had not been seen, had ended."""
        self._connection = connection
        self._dialect = dialect
        self._known = list(known)
        self._note = note
        self._open: list[str] = []
        self._begun: list[str] = []
        self._again: str | None = None
        self._own = False
        self._listeners: tuple[tuple[str, Callable[..., Any], dict[str, bool]], ...] = (
            ("before_cursor_execute", self._before, {"retval": True}),
            ("after_cursor_execute", self._after, {}),
            ("commit", self._commit, {}),
        )

    def __enter__(self) -> "Journal":
        for name, listener, options in self._listeners:
            sa.event.listen(self._connection, name, listener, **options)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        for name, listener, _options in self._listeners:
            sa.event.remove(self._connection, name, listener)
        if self._begun and isinstance(error, DBAPIError) and not error.connection_invalidated:
            self._answered(error)

    def _answered(self, error: DBAPIError) -> None:
        """The statement at work has failed by the database's own word, so nothing of it is there but what the dialect finds."""
        text = self._begun[0].removeprefix(BEGUN)
        if text == self._again and _says_it_was_done(text, error):
            self.committed.append(text)
            self._begun, self.had_ended = [], True
        elif not self._dialect.left_part(self._connection, text):
            self._begun, self.refuted = [], True
        self._connection.rollback()

    @property
    def left(self) -> list[str]:
        """What stays of the try if it ends here: the committed statements, and one that began in the block and did not end."""
        return [*self.committed, *self._begun]

    def _before(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> tuple[str, Any]:
        if self._own or not self.listening or _reads(statement):
            return statement, parameters
        text = _normal(statement)
        if self._known:
            known = self._known.pop(0)
            if known.removeprefix(BEGUN) != text:
                raise StepFailed("step-changed", known=known, found=text)
            with _Flag(self):
                finished = self._dialect.finished(connection, text, begun=known != text)
            if finished:
                self.committed.append(text)
                return "SELECT 1", ()
            self._again = text
        if _autocommits(connection):
            self._begun = [BEGUN + text]
            self._write(self.left)
        return statement, parameters

    def _after(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._own or not self.listening or _reads(statement):
            return
        if _autocommits(connection):
            self._begun = []
            self.committed.append(_normal(statement))
            self._write(self.left)
        else:
            self._open.append(_normal(statement))

    def _commit(self, connection: Connection) -> None:
        if self._open and self.listening:
            self.committed += self._open
            self._write(self.left)
        self._open = []

    def _write(self, statements: list[str]) -> None:
        with _Flag(self):
            self._note(statements)


class _Flag:
    """While the journal itself uses the connection, it does not listen."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __enter__(self) -> None:
        self._journal._own = True

    def __exit__(self, *_: object) -> None:
        self._journal._own = False


def _autocommits(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def _says_it_was_done(text: str, error: DBAPIError) -> bool:
    words = _DONE_ALREADY.get(text.partition(" ")[0].upper(), ())
    return any(word in str(error.orig) for word in words)


def _reads(statement: str) -> bool:
    return statement.lstrip().upper().startswith(_READING)


def _normal(statement: str) -> str:
    return " ".join(statement.split())
