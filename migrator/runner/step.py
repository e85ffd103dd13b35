"""One step: its transaction, its attempts, and what is known when it fails.

Alembic's own loop runs the revision, given one step at a time, inside a transaction that is opened here. Alembic joins a transaction that
it finds when a step begins, and commits it with the version row: so the version table, the change and the log's row are one.
"""

import logging
import random
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from migrator.dialects.session import Aftermath
from migrator.errors import error
from migrator.errors.progress import Progress
from migrator.errors.tree import MigratorError, StampRefused
from migrator.history.files import followed
from migrator.results import Applied
from migrator.runner.autocommit import CommittedStatements
from migrator.runner.failure import StepLog, failure, words
from migrator.runner.guards.guard import Guard
from migrator.runner.interrupted import committed_before
from migrator.runner.plan import Step
from migrator.runner.repeatable import is_repeatable, may_change
from migrator.runner.state import Run
from migrator.runner.transaction import UNSEEN, StepTransaction

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
        self._transaction: StepTransaction | None = None
        self._heads_after: set[str] | None = None
        self._begun = False
        self._aftermath = Aftermath()
        self._elsewhere: tuple[str, ...] = ()

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
            committed_itself=self._aftermath.committed if self._running else False,
            unseen=self._aftermath.unseen if self._running else False,
            elsewhere=self._elsewhere if self._running else (),
            in_doubt=self._begun and self._heads_after is not None,
        )

    def next_for_alembic(self, heads: Any, migration: MigrationContext) -> tuple[Any, ...]:
        """Alembic's `fn`: the step to run now."""
        assert self._running is not None
        assert self._statements is not None
        assert self._transaction is not None
        self._statements.listening = True
        self._transaction.watch()
        self._session.enter_revision()
        return tuple(followed(step, self._leave_revision) for step in self._running.alembic)

    def _leave_revision(self) -> None:
        assert self._statements is not None
        with self._statements.deaf():
            self._session.leave_revision()

    def before_commit(self, *, heads: set[str], **_: Any) -> None:
        """Alembic's `on_version_apply`, called in the step's transaction after the version row: the guards look, the log records."""
        assert self._running is not None
        assert self._statements is not None
        assert self._transaction is not None
        self._statements.listening = False
        for guard in self.guards:
            guard.before_commit(self._running, heads)
        self._transaction.release()
        self._log.note("done")
        self._heads_after = set(heads)

    def run(self, step: Step) -> None:
        """Run one step in one transaction; an attempt that met another session's lock is rolled back and repeated for a while.

        Raises StepFailed, LockError, or what a guard refuses; nothing of the step is left then, except what stood before or in an
        `autocommit_block()`, which the error lists and the log keeps. A DBAPIError means that the connection was lost during the COMMIT.
        """
        if step.direction == "stamp" and not self._run.request.verify:
            step = step.unverified
        self._running, self._begun, self._log = step, False, StepLog(self._run, step)
        self._statements = self._transaction = self._heads_after = None
        try:
            seconds, attempts = self._until_done(step)
        except MigratorError as failed:
            self._name(failed)
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
        known = [] if self._applied else committed_before(self._run, step)
        limits = step.options.limits(self._run.settings)
        clock = time.monotonic()
        for attempt in range(1, _MOST_ATTEMPTS):
            self._session.start_attempt(limits, attempt)
            self._heads_after, self._aftermath, self._elsewhere = None, Aftermath(None), ()  # until it is looked up
            self._transaction = StepTransaction(self._session, self._run.migration)
            self._statements = CommittedStatements(self._session, known, note=partial(self._log.note, "begun"))
            try:
                with self._transaction.watched(), self._statements:  # in this order: what is refused is not noted
                    self._attempt(step)
                return time.monotonic() - clock, attempt
            except DBAPIError as raised:
                if self._is_lost_in_commit(raised):
                    self._settle(step, time.monotonic() - clock, attempt)
                    raise
                self._heads_after = None  # the database has answered: the engine's COMMIT was not
                if stayed := self._what_stayed(words(raised, self._run)):
                    raise stayed from raised
                known = self._statements.noted
                if self._statements.already_applied:
                    continue
                if not self._session.is_blocked(raised) or not is_repeatable(known) or self._elsewhere:
                    raise self._failure(step, raised) from raised
                self._pause(step, raised, time.monotonic() - clock, attempt)
            except StampRefused:  # nothing was attempted that could fail, except by a bridge
                self._aftermath = self._look_up()
                raise
            except MigratorError as refused:
                self._name(refused)
                if stayed := self._what_stayed(refused.fact):
                    raise stayed from refused
                self._log.failed(refused.fact, self._statements)
                raise
            except (Exception, SystemExit) as raised:
                stayed = self._what_stayed(words(raised, self._run))
                raise stayed or self._failure(step, raised) from raised
            except BaseException:  # an interruption goes its way; what is said of it was looked up as well
                self._what_stayed("interrupted")
                raise
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
            assert self._transaction is not None
            self._transaction.stop()
            self._connection.rollback()  # also where SQLAlchemy takes the transaction for ended
            self._session.end_attempt()

    def _what_stayed(self, reason: str) -> MigratorError | None:
        """Ask the database what the failed attempt has left; return the error that says so, None if all of it was rolled back.

        Where that is not known, or only on other connections, it is `progress` that says so.
        """
        assert self._transaction is not None
        assert self._statements is not None
        if self._heads_after is not None:  # the run ended during its own COMMIT
            return None
        self._elsewhere = tuple(text for text in self._session.committed_elsewhere() if may_change(text))
        self._aftermath = self._look_up()
        if self._transaction.ended and self._connection.invalidated:
            # The session is gone, and with it the count of what it did at its end.
            self._aftermath = self._aftermath._replace(unseen=True)
        how = self._transaction.ended or f"{UNSEEN}, and then failed: {reason}"
        if self._aftermath.committed:
            self._statements.stay(self._transaction.unsure if self._transaction.ended else None)
            found = error("step-committed", how=how, committed=tuple(self._remaining))
        elif self._aftermath.unseen:
            found = error("step-transaction-ended", how=how)
        else:
            return None
        self._name(found)
        self._log.failed(found.fact, self._statements)
        return found

    def _look_up(self) -> Aftermath:
        try:
            return self._session.aftermath()
        except SQLAlchemyError as trouble:
            _log.info("Whether a part was committed could not be looked up: %s", words(trouble, self._run))
            return Aftermath(None)

    def _is_lost_in_commit(self, raised: DBAPIError) -> bool:
        return self._heads_after is not None and raised.connection_invalidated

    def _settle(self, step: Step, seconds: float, attempts: int) -> None:
        """Look on another connection whether the COMMIT arrived. Unless it is seen it stays in doubt: the server may not be through."""
        try:
            with self._session.second_connection() as other:
                heads = set(self._run.heads_on(other))
        except SQLAlchemyError as trouble:
            _log.info("Whether %s was committed could not be looked up: %s", step.revision, words(trouble, self._run))
            return
        if heads == self._heads_after:
            self._finish(step, seconds, attempts)

    @property
    def _remaining(self) -> list[str]:
        return self._statements.remaining if self._statements and self._running else []

    def _pause(self, step: Step, raised: DBAPIError, waited: float, attempt: int) -> None:
        names = self._session.blockers(raised) or ("a session that has just ended",)
        if waited >= self._session.patience:
            if self._remaining:
                raise self._failure(step, raised) from raised
            reason = f"{words(raised, self._run)}, attempts: {attempt}, blocked by: {'; '.join(names)}"
            self._log.failed(reason, self._statements)
            raise error("step-blocked", blockers=names, tries=attempt, seconds=round(waited)) from raised
        _log.warning("%s waits, attempt %d: %s", step.revision, attempt, "; ".join(names))
        time.sleep(random.uniform(0.5, 1) * min(0.1 * 1.5**attempt, 2.0))

    def _failure(self, step: Step, raised: BaseException) -> MigratorError:
        known = self._session.reason(raised)
        if known is not None:
            self._name(known)
            self._log.failed(known.fact, self._statements)
            return known
        text = words(raised, self._run)
        self._log.failed(text, self._statements)
        return failure(step, raised, text, tuple(self._remaining), self._run)

    def _name(self, failed: MigratorError) -> None:
        """Say in the error which revision was running."""
        if self._running is not None:
            step = self._running.planned
            failed.add(revision=step.revision, path=step.path.name, direction=step.direction)
            if step.direction == "stamp":
                bridge = self._run.request.bridge
                failed.add(again=f"adopt --bridge {bridge}" if bridge else f"stamp {step.revision}")
