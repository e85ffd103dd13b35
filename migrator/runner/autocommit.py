"""What a step has committed before it is done, which only an `autocommit_block()` makes possible.

It is written to the log as it happens: together with what the block's beginning commits, and around each statement inside the block. The
next run after a kill resumes there: it leaves out, in their order, the statements that are known to be committed. One whose end was not
seen is executed again: either that has its effect, or the database says that it had one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.session import Session
from migrator.errors import error

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
    """Return whether a step that committed just these can be resumed after them: DDL does not depend on the rows it met."""
    return all(text.removeprefix(BEGUN).upper().startswith(_DDL) for text in statements)


class CommittedStatements:
    """Listens to one attempt of a step. `committed` are its statements so far; `note` writes them to the log on the same connection."""

    def __init__(self, session: Session, known: Sequence[str], *, note: Note) -> None:
        """Begin with what an earlier attempt or run has committed, in its order; sends nothing."""
        self.committed: list[str] = []
        self.listening = False
        """True while the revision itself is running: from its first statement until the version row is written."""
        self.rolled_back = False
        """Whether the log says of a statement that it was begun, and the database has answered since that it was not done."""
        self.already_applied = False
        """Whether this attempt failed because a statement, whose end had not been seen, had been applied."""
        self._connection = session.connection
        self._session = session
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

    def __enter__(self) -> "CommittedStatements":
        for name, listener, options in self._listeners:
            sa.event.listen(self._connection, name, listener, **options)
        return self

    def __exit__(self, _: object, raised: BaseException | None, __: object) -> None:
        for name, listener, _options in self._listeners:
            sa.event.remove(self._connection, name, listener)
        if self._begun and isinstance(raised, DBAPIError) and not raised.connection_invalidated:
            self._answered(raised)

    def _answered(self, raised: DBAPIError) -> None:
        """The database said that the statement failed, so nothing of it is there except what the session finds."""
        text = self._begun[0].removeprefix(BEGUN)
        if text == self._again and _says_it_was_done(text, raised):
            self.committed.append(text)
            self._begun, self.already_applied = [], True
        elif not self._session.left_partial(text):
            self._begun, self.rolled_back = [], True
        self._connection.rollback()

    @property
    def remaining(self) -> list[str]:
        """What stays of the attempt if it ends here: the committed statements, and one that began in the block and did not end."""
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
                raise error("step-changed", known=known, found=text)
            with _Deaf(self):
                finished = self._session.already_done(text, begun=known != text)
            if finished:
                self.committed.append(text)
                return "SELECT 1", ()
            self._again = text
        if _autocommits(connection):
            self._begun = [BEGUN + text]
            self._write(self.remaining)
        return statement, parameters

    def _after(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._own or not self.listening or _reads(statement):
            return
        if _autocommits(connection):
            self._begun = []
            self.committed.append(_normal(statement))
            self._write(self.remaining)
        else:
            self._open.append(_normal(statement))

    def _commit(self, connection: Connection) -> None:
        if self._open and self.listening:
            self.committed += self._open
            self._write(self.remaining)
        self._open = []

    def _write(self, statements: list[str]) -> None:
        with _Deaf(self):
            self._note(statements)


class _Deaf:
    """While the listener itself uses the connection, it does not listen."""

    def __init__(self, listener: CommittedStatements) -> None:
        self._listener = listener

    def __enter__(self) -> None:
        self._listener._own = True

    def __exit__(self, *_: object) -> None:
        self._listener._own = False


def _autocommits(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def _says_it_was_done(text: str, raised: DBAPIError) -> bool:
    words = _DONE_ALREADY.get(text.partition(" ")[0].upper(), ())
    return any(word in str(raised.orig) for word in words)


def _reads(statement: str) -> bool:
    return statement.lstrip().upper().startswith(_READING)


def _normal(statement: str) -> str:
    return " ".join(statement.split())
