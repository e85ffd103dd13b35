"""What a step has committed before it is done, which only an `autocommit_block()` makes possible.

It is written to the log as it happens: together with what the block's beginning commits, and around each statement inside the block. The
next run after a kill resumes there: it leaves out, in their order, the statements that are known to be committed. One whose end was not
seen is executed again: either that has its effect, or the database says that it had one.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.session import Session
from migrator.errors import error
from migrator.runner.repeatable import BEGUN, called, is_harmless, is_query, may_change, normal, says_it_was_done

Note = Callable[[list[str]], None]
_SAVEPOINT = re.compile(
    r"\s*(?P<verb>SAVEPOINT|RELEASE|ROLLBACK)(?:\s+(?:WORK|TRANSACTION))?(?:\s+TO)?(?:\s+SAVEPOINT)?\s+(?P<name>\"[^\"]+\"|\w+)\s*;?\s*$",
    re.IGNORECASE,
)


class CommittedStatements:
    """Listens to one attempt of a step. `committed` are its statements so far; `note` writes them to the log on the same connection."""

    def __init__(self, session: Session, known: Sequence[str], *, note: Note) -> None:
        """Begin with what an earlier attempt or run has committed, in its order; sends nothing."""
        self.committed: list[str] = []
        self.listening = False
        """True while the revision itself is running: from its first statement until the version row is written."""
        self.rolled_back = False
        """Whether the log says of a statement that it was begun, and the database has answered since that it was not done."""
        self.stayed = False
        """Whether the revision committed a part of the step itself."""
        self.already_applied = False
        """Whether this attempt failed because a statement, whose end had not been seen, had been applied."""
        self._connection = session.connection
        self._session = session
        self._known = list(known)
        self._note = note
        self._open: list[str] = []
        self._savepoints: list[tuple[str, int]] = []
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
        if text == self._again and says_it_was_done(text, raised):
            self.committed.append(text)
            self._begun, self.already_applied = [], True
        elif not self._session.left_partial(text):
            self._begun, self.rolled_back = [], True
        self._connection.rollback()

    @property
    def remaining(self) -> list[str]:
        """What stays of the attempt if it ends here: the committed statements, and one that began in the block and did not end."""
        return [*self.committed, *self._begun]

    @property
    def is_log_behind(self) -> bool:
        """Whether the log does not say yet what stays of the attempt."""
        return self.rolled_back or self.stayed

    def deaf(self) -> "_Deaf":
        """In the block, the engine itself uses the connection."""
        return _Deaf(self)

    def _changes(self) -> list[str]:
        return [normal(text) for text in self._open if not self._reads(text)]

    def _reads(self, statement: str) -> bool:
        """Return whether the statement leaves everything as it is, as far as its text and the database can tell."""
        if is_harmless(statement):
            return True
        if not is_query(statement):
            return False
        with _Deaf(self):
            return not self._session.may_write(called(statement))

    def stay(self, unsure: int | None) -> None:
        """Know that the transaction was committed behind the engine's back, the last `unsure` of its statements perhaps not; None: any."""
        changes = [normal(text) for text in self._open if may_change(text)]
        sure = 0 if unsure is None else len(changes) - unsure
        self.committed += changes[:sure]
        self._begun = [BEGUN + text for text in changes[sure:]]
        self._open, self.stayed = [], True

    def _before(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> tuple[str, Any]:
        block = _autocommits(connection)
        if self._own or not self.listening or not (block or self._known) or self._reads(statement):
            return statement, parameters
        text = normal(statement)
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
        if block:
            self._begun = [BEGUN + text]
            self._write(self.remaining)
        return statement, parameters

    def _after(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._own or not self.listening:
            return
        if savepoint := _SAVEPOINT.match(statement):
            self._follow(savepoint["verb"].upper(), savepoint["name"].strip('"').lower())
        if _autocommits(connection):
            if self._begun:
                self._begun = []
                self.committed.append(normal(statement))
                self._write(self.remaining)
        else:
            self._open.append(statement)

    def _follow(self, verb: str, name: str) -> None:
        """What came after a savepoint does not stay when the revision goes back to it."""
        if verb == "SAVEPOINT":
            self._savepoints.append((name, len(self._open)))
        while verb != "SAVEPOINT" and self._savepoints:
            found, before = self._savepoints[-1]
            if found == name and verb == "ROLLBACK":
                del self._open[before:]
                break  # which leaves the savepoint itself
            self._savepoints.pop()
            if found == name:
                break

    def _commit(self, connection: Connection) -> None:
        if self.listening and (changes := self._changes()):
            self.committed += changes
            self._write(self.remaining)
        self._open, self._savepoints = [], []

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
