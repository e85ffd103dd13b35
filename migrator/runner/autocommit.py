"""What a step has committed before it is done, which only an `autocommit_block()` makes possible.

It is written to the log as it happens: together with what the block's beginning commits, and around each statement inside the block. The
next run after a kill resumes there: it leaves out, in their order, the statements that are known to be committed. One whose end was not
seen is executed again: either that has its effect, or the database says that it had one.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import DBAPIError

from migrator.dialects.session import Session, autocommits
from migrator.errors import error
from migrator.runner.repeatable import (
    BEGUN,
    UNDONE,
    UNSEEN,
    Temporary,
    called,
    cancelled,
    dropped_table,
    ends_badly,
    ends_well,
    is_harmless,
    is_query,
    is_several,
    left_by,
    may_change,
    normal,
    says_it_was_done,
    temporary,
    undo,
)

Note = Callable[[list[str]], None]
_SAVEPOINT = re.compile(
    r"\s*(?P<verb>SAVEPOINT|RELEASE|ROLLBACK)(?:\s+(?:WORK|TRANSACTION))?(?:\s+TO)?(?:\s+SAVEPOINT)?\s+(?P<name>\"[^\"]+\"|\w+)\s*;?\s*$",
    re.IGNORECASE,
)


class CommittedStatements:
    """Listens to one attempt of a step. `committed` are its statements so far; `note` writes them to the log on the same connection.

    In a block a statement is committed when the driver has no open transaction after it. One that the block opened itself is followed:
    what is in there counts when it was committed, and its note in the log is a part of it.
    """

    def __init__(self, session: Session, known: Sequence[str], *, note: Note) -> None:
        """Begin with what an earlier attempt or run has committed, in its order; sends nothing."""
        self.committed: list[str] = []
        """Also, as `UNDONE`, what came to nothing in a block: a resumed step executes it again."""
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
        self._unseen = session.unseen
        self._known = list(known)
        self._note = note
        self._open: list[str] = []
        self._savepoints: list[tuple[str, int]] = []
        self._begun: list[str] = []
        self._failed: DBAPIError | None = None
        self._done_before: DBAPIError | None = None
        self._in_parts = self._inside = self._aborted = False
        self._number: int | None = None
        self._again: str | None = None
        self._own = False
        self._left_from_before = set(session.temporary)
        self._temporary: set[str] = set()
        self._listeners: tuple[tuple[object, str, Callable[..., Any], dict[str, bool]], ...] = (
            (self._connection, "before_cursor_execute", self._before, {"retval": True}),
            (self._connection, "after_cursor_execute", self._after, {}),
            (self._connection, "commit", self._commit, {}),
            (Engine, "handle_error", self._error, {}),
        )

    def __enter__(self) -> "CommittedStatements":
        for target, name, listener, options in self._listeners:
            sa.event.listen(target, name, listener, **options)
        return self

    def __exit__(self, _: object, raised: BaseException | None, __: object) -> None:
        for target, name, listener, _options in self._listeners:
            sa.event.remove(target, name, listener)
        if self._failed is not None and not self._failed.connection_invalidated:
            self._judge()
            self._connection.rollback()
        self.already_applied = raised is not None and raised is self._done_before

    def _judge(self) -> None:
        """The database said that a statement failed: nothing of it is there, except what it committed before, or the session finds."""
        failed, self._failed = self._failed, None
        if failed is None or not self._begun:
            return
        text = self._begun[0].removeprefix(BEGUN)
        if text == self._again and says_it_was_done(text, failed):
            self.committed.append(text)
            self._begun, self._done_before = [], failed
            return
        with self.deaf():
            left = self._session.left_partial(text, in_parts=self._in_parts)
        self.committed += self._begun if left else [UNDONE + text]
        self._begun, self.rolled_back = [], True

    @property
    def noted(self) -> list[str]:
        """What the log has to know of the attempt if it ends here, so that the next one can go on."""
        unseen = self._unseen is not None and self._unseen.found
        return [*self.committed, *self._begun, *([UNSEEN] if unseen and UNSEEN not in self.committed else [])]

    @property
    def remaining(self) -> list[str]:
        """What stays of the attempt if it ends here: the committed statements, and one that began in the block and did not end."""
        return left_by(self.noted)

    @property
    def is_log_behind(self) -> bool:
        """Whether the log does not say yet what stays of the attempt."""
        return self.rolled_back or self.stayed or UNSEEN in self.noted

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """In the block, the engine itself uses the connection, and is not listened to."""
        self._own = True
        try:
            yield
        finally:
            self._own = False

    def _changes(self) -> list[str]:
        return [normal(text) for text in self._open if not self._reads(text)]

    def _reads(self, statement: str) -> bool:
        """Return whether the statement leaves everything as it is, or changes only what ends with the session, as far as can be told."""
        if is_harmless(statement) or dropped_table(statement) in self._temporary:
            return True
        if not is_query(statement) and temporary(statement) is None:
            return False
        return not self._may_call(statement)

    def _may_call(self, statement: str) -> bool:
        """Return whether something that the statement calls may change rows."""
        with self.deaf():
            return self._session.may_write(called(statement))

    def stay(self, unsure: int | None) -> None:
        """Know that the transaction was committed behind the engine's back, the last `unsure` of its statements perhaps not; None: any."""
        changes = [normal(text) for text in left_by(self._open) if may_change(text) and not temporary(text)]
        sure = 0 if unsure is None else len(changes) - unsure
        self.committed += changes[:sure]
        self._begun = [BEGUN + text for text in changes[sure:]]
        self._open, self.stayed = [], True

    def _is_deaf(self) -> bool:
        return self._own or not self.listening or self._session.is_asking

    def _before(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> tuple[str, Any]:
        if self._is_deaf():
            return statement, parameters
        block = autocommits(connection)
        if block:
            self._look_inside()
        self._judge()
        if made := temporary(statement):
            self._make_again(made)
        if self._inside and not self._aborted and (ends_well(statement) or is_several(statement)):
            with self.deaf():
                self._number = self._session.transaction_number()
        if not (block or self._known) or self._reads(statement):
            return statement, parameters
        text = normal(statement)
        while self._known and self._known[0].startswith(UNDONE) and self._known[0] != UNDONE + text:
            self._known.pop(0)
        if self._known:
            known = self._known.pop(0)
            if known.removeprefix(UNDONE).removeprefix(BEGUN) != text:
                raise error("step-changed", known=known, found=text)
            with self.deaf():
                finished = not known.startswith(UNDONE) and self._session.already_done(text, begun=known != text)
            if finished:
                self.committed.append(text)
                return "SELECT 1", ()
            self._again = text if known.startswith(BEGUN) else None
        if block and not self._aborted and (not self._inside or is_several(statement)):
            self._begun, self._in_parts = [BEGUN + text], many or is_several(statement)
            self._write([*self.committed, *(self._changes() if self._inside else []), *self._begun])
        return statement, parameters

    def _after(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._is_deaf():
            return
        aborted, self._aborted = self._aborted, False
        if savepoint := _SAVEPOINT.match(statement):
            self._follow(savepoint["verb"].upper(), savepoint["name"].strip('"').lower())
        if not autocommits(connection):
            self._open.append(statement)
        elif self._session.in_transaction(unknown=False):
            self._inside = True
            self._open.append(statement)
            if self._begun:  # several, of which the last ones are in a transaction that may still be rolled back
                self._begun, self.rolled_back = [], True
            if not self._reads(statement):
                self._write([*self.committed, *self._changes()])
        elif self._inside:
            self._end(statement, aborted=aborted)
        elif self._begun:
            self._begun = []
            self.committed = cancelled([*self.committed, normal(statement)], writes=self._may_call)
            self._write(self.noted)

    def _error(self, context: ExceptionContext) -> None:
        raised = context.sqlalchemy_exception
        if context.connection is not self._connection or self._is_deaf() or not isinstance(raised, DBAPIError):
            return
        self._failed = raised
        if not self._begun and context.statement is not None:
            self._open.append(UNDONE + context.statement)
        self._aborted = self._session.aborts and self._inside

    def _look_inside(self) -> None:
        """Know when a transaction of the block's ended unseen: by the failure of its last statement, or on the driver's own connection."""
        if self._inside and not self._session.in_transaction(unknown=False):
            failed = self._failed is not None
            self._inside = False
            changes = self._changes()
            self.committed += undo(changes) if failed else [BEGUN + text for text in left_by(changes)]
            self._open, self._savepoints = [], []

    def _end(self, statement: str, *, aborted: bool) -> None:
        """A transaction that the block opened has ended with this statement: find out how."""
        kept: bool | None = not aborted and not ends_badly(statement)
        if self._number is not None:
            with self.deaf():
                kept = self._session.is_committed(self._number)
        changes = self._changes()
        lost = aborted and ends_well(statement) and bool(left_by(changes))
        unseen = kept and self._number is not None and not changes and not is_several(statement)
        self._open, self._savepoints, self._inside, self._number, self._begun = [], [], False, None, []
        self.committed += changes if kept else undo(changes) if kept is False else [BEGUN + text for text in changes]
        if is_several(statement):
            self.committed.append((BEGUN if ends_badly(statement) else "") + normal(statement))
        if unseen:
            self.committed.append(UNSEEN)
        if kept is None or unseen or is_several(statement):
            self._write(self.noted)
        if lost:
            raise error("step-commit-failed", statement=normal(statement))

    def _make_again(self, made: Temporary) -> None:
        """Drop what an earlier attempt of this run has left in the session: what is temporary is made again by each attempt."""
        if made.name in self._left_from_before:
            self._left_from_before.remove(made.name)
            with self.deaf():
                self._session.drop_temporary(*made)
        self._temporary.add(made.name)
        self._session.temporary.add(made.name)

    def _follow(self, verb: str, name: str) -> None:
        """What came after a savepoint does not stay when the revision goes back to it."""
        if verb == "SAVEPOINT":
            self._savepoints.append((name, len(self._open)))
        while verb != "SAVEPOINT" and self._savepoints:
            found, before = self._savepoints[-1]
            if found == name and verb == "ROLLBACK":
                self._open[before:] = undo([text for text in self._open[before:] if not self._reads(text)])
                break  # which leaves the savepoint itself
            self._savepoints.pop()
            if found == name:
                break

    def _commit(self, connection: Connection) -> None:
        if self.listening and (changes := self._changes()):
            self.committed += changes
            if left_by(changes):
                self._write(self.noted)
        self._open, self._savepoints = [], []

    def _write(self, statements: list[str]) -> None:
        with self.deaf():
            self._note(statements)
