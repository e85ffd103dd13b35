"""One step: its transaction, its attempts, and what is known when it fails.

Alembic's own loop runs the revision, given one step at a time, inside a transaction that is opened here. Alembic joins a transaction that
it finds when a step begins, and commits it with the version row: so the version table, the change and the log's row are one.
"""

import logging
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from migrator.errors import error
from migrator.errors.progress import Progress
from migrator.errors.tree import MigratorError, StampRefused
from migrator.history.log import begun
from migrator.masking import scrub
from migrator.results import Applied
from migrator.runner.autocommit import CommittedStatements, is_repeatable
from migrator.runner.guards.guard import Guard
from migrator.runner.plan import Step
from migrator.runner.state import Run

_log = logging.getLogger("migrator")
_MOST_ATTEMPTS = 100_000


class StepRunner:
    """Runs the steps of one run, one transaction each, and knows how far it came."""

    def __init__(self, run: Run) -> None:
        """Hold the run; reads nothing. `guards` are set before the first step."""
        self.guards: Sequence[Guard] = ()
        self._run = run
        self._connection, self._session = run.connection, run.session
        self._before: tuple[str, ...] = ()
        self._at: tuple[str, ...] = ()
        self._applied: list[Applied] = []
        self._running: Step | None = None
        self._statements: CommittedStatements | None = None
        self._heads_after: set[str] | None = None
        self._begun = False

    def start_at(self, heads: tuple[str, ...]) -> None:
        """Say where the database is before the first step."""
        self._before = self._at = heads

    @property
    def progress(self) -> Progress:
        """How far the run came, from what it saw committed."""
        return Progress(
            before=self._before,
            applied=tuple(self._applied),
            at=self._at,
            running=self._running.planned if self._running and self._begun else None,
            stayed=tuple(self._remaining),
            in_doubt=self._begun and self._heads_after is not None,
        )

    def next_for_alembic(self, heads: Any, migration: MigrationContext) -> tuple[Any, ...]:
        """Alembic's `fn`: the step to run now."""
        assert self._running is not None
        assert self._statements is not None
        self._statements.listening = True
        return self._running.alembic

    def before_commit(self, *, heads: set[str], **_: Any) -> None:
        """Alembic's `on_version_apply`, called in the step's transaction after the version row: the guards look, the log records."""
        assert self._running is not None
        assert self._statements is not None
        self._statements.listening = False
        for guard in self.guards:
            guard.before_commit(self._running, heads)
        self._note("done")
        self._heads_after = set(heads)

    def run(self, step: Step) -> None:
        """Run one step in one transaction; an attempt that met another session's lock is rolled back and repeated for a while.

        Raises StepFailed, LockError, or what a guard refuses; nothing of the step is left then, except what stood before or in an
        `autocommit_block()`, which the error lists and the log keeps. A DBAPIError means that the connection was lost during the COMMIT.
        """
        if step.direction == "stamp" and not self._run.request.verify:
            step = step.unverified
        self._running, self._begun, self._started = step, False, datetime.now(UTC)
        self._statements, self._heads_after = None, None
        try:
            seconds, attempts = self._until_done(step)
        except MigratorError as failure:
            self._name(failure)
            raise
        self._finish(step, seconds, attempts)

    def _finish(self, step: Step, seconds: float, attempts: int) -> None:
        done = step.planned
        self._at = tuple(sorted(self._heads_after or ()))
        self._running, self._begun = None, False
        self._run.log.is_there = True
        self._applied.append(Applied(done.revision, done.direction, done.description, seconds, attempts))
        _log.info("%s %s in %.2f s: %s", done.direction, done.revision, seconds, done.description)

    def _until_done(self, step: Step) -> tuple[float, int]:
        """Repeat the step until it is committed; return how long that took in seconds, and the number of attempts."""
        known = [] if self._applied else self._resume_point(step)
        limits = step.options.limits(self._run.settings)
        clock = time.monotonic()
        for attempt in range(1, _MOST_ATTEMPTS):
            self._session.start_attempt(limits, attempt)
            self._heads_after = None
            try:
                with CommittedStatements(self._session, known, note=partial(self._note, "begun")) as self._statements:
                    self._attempt(step)
                return time.monotonic() - clock, attempt
            except DBAPIError as raised:
                if self._is_lost_in_commit(raised):
                    self._settle(step, time.monotonic() - clock, attempt)
                    raise
                self._heads_after = None  # the database has answered: nothing is committed
                known = self._remaining
                if self._statements and self._statements.already_applied:
                    continue
                if not self._session.is_blocked(raised) or not is_repeatable(known):
                    raise self._failure(step, raised) from raised
                self._pause(step, raised, time.monotonic() - clock, attempt)
            except StampRefused:  # nothing was attempted that could fail
                raise
            except MigratorError as failure:
                self._name(failure)
                self._record_failure(failure.fact)
                raise
            except (Exception, SystemExit) as raised:
                raise self._failure(step, raised) from raised
        raise AssertionError("a step is repeated for a limited time")

    def _attempt(self, step: Step) -> None:
        self._begun = False
        self._connection.begin()  # not as a context manager, which would forbid what follows an autocommit_block()
        self._begun = True
        try:
            context.run_migrations()
            if not step.alembic:  # a stamp that only empties the version table
                self.before_commit(heads=set())
                self._connection.commit()
        finally:
            if self._connection.in_transaction():
                self._connection.rollback()
            self._session.end_attempt()

    def _is_lost_in_commit(self, raised: DBAPIError) -> bool:
        return self._heads_after is not None and raised.connection_invalidated

    def _settle(self, step: Step, seconds: float, attempts: int) -> None:
        """Look on another connection whether the COMMIT arrived. Unless it is seen it stays in doubt: the server may not be through."""
        try:
            with self._session.second_connection() as other:
                heads = set(self._run.heads_on(other))
        except SQLAlchemyError as trouble:
            _log.info("Whether %s was committed could not be looked up: %s", step.revision, self._scrubbed(trouble))
            return
        if heads == self._heads_after:
            self._finish(step, seconds, attempts)

    def _resume_point(self, step: Step) -> list[str]:
        """What an interrupted run has committed of this step, to be left out now; StepFailed where that would not be safe.

        Only the first step of a run can find that: what was interrupted comes before everything else.
        """
        entry = begun(self._run.log.read(self._connection, outcome="begun"))
        self._connection.rollback()
        if entry is None or entry.statements is None or step.direction == "stamp":
            return []
        facts = {"when": entry.when, "who": entry.who, "committed": tuple(entry.statements)}
        if (entry.revision, entry.direction) != (step.revision, step.direction):
            raise error("step-interrupted-before", revision=entry.revision, direction=entry.direction, **facts)
        if step.options.rerunnable:
            return []
        if entry.source != step.text or not is_repeatable(entry.statements):
            raise error("step-interrupted", **facts)
        names = "; ".join(entry.statements)
        _log.warning(
            "%s was interrupted at %s (%s) and is resumed after: %s", step.revision, entry.when, entry.who, names
        )
        return entry.statements

    @property
    def _remaining(self) -> list[str]:
        return self._statements.remaining if self._statements and self._running else []

    def _note(self, outcome: str, statements: Sequence[str] | None = None) -> None:
        assert self._running is not None
        self._run.log.write(
            self._connection,
            self._running.planned,
            outcome,
            self._started,
            text=self._running.text,
            user=self._session.user(),
            statements=statements,
        )

    def _record_failure(self, reason: str) -> None:
        """On another connection, and as far as possible: the log's own trouble must not hide what happened."""
        step, left = self._running, self._remaining
        assert step is not None
        try:
            with self._session.second_connection() as other:
                write = partial(self._run.log.write, other, step.planned, text=step.text, user=self._session.user())
                if self._statements and self._statements.rolled_back:
                    write("begun", self._started, statements=left)
                write("failed", self._started, error=self._scrubbed(reason), statements=left or None)
                other.commit()
        except SQLAlchemyError as trouble:
            _log.warning("The failure could not be written to the log: %s", self._scrubbed(trouble))

    def _pause(self, step: Step, raised: DBAPIError, waited: float, attempt: int) -> None:
        names = self._session.blockers(raised) or ("a session that has just ended",)
        if waited >= self._session.patience:
            if self._remaining:
                raise self._failure(step, raised) from raised
            self._record_failure(f"{raised.orig}, attempts: {attempt}, blocked by: {'; '.join(names)}")
            raise error("step-blocked", blockers=names, tries=attempt, seconds=round(waited)) from raised
        _log.warning("%s waits, attempt %d: %s", step.revision, attempt, "; ".join(names))
        time.sleep(random.uniform(0.5, 1) * min(0.1 * 1.5**attempt, 2.0))

    def _failure(self, step: Step, raised: BaseException) -> MigratorError:
        known = self._session.reason(raised)
        if known is not None:
            self._name(known)
            self._record_failure(known.fact)
            return known
        text = str(raised.orig) if isinstance(raised, DBAPIError) else f"{type(raised).__name__}: {raised}"
        text = self._scrubbed(" ".join(text.split()))
        self._record_failure(text)
        committed = tuple(self._remaining)
        resumable = self._run.log.enabled and is_repeatable(committed) and not step.options.rerunnable
        code = "step-failed" if not committed else "step-failed-partly" if resumable else "step-failed-unresumable"
        return error(code, error=text, committed=committed)

    def _name(self, failure: MigratorError) -> None:
        """Say in the error which revision was running."""
        if self._running is not None:
            step = self._running.planned
            failure.add(revision=step.revision, path=step.path.name, direction=step.direction)

    def _scrubbed(self, text: object) -> str:
        return scrub(str(getattr(text, "orig", text)), self._connection.engine.url)
