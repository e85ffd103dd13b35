"""One step: its transaction, its tries, and what is said when it fails.

Alembic's own loop runs the revision, dealt one step at a time, inside a transaction that is opened here. Alembic joins a transaction that
it finds when a step begins, and commits it with the version row: so the version table, the change and what the hooks write are one.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from migrator.adopt import other_runners
from migrator.dialects.dialect import Dialect, log
from migrator.errors.tree import LockError, MigratorError, StampRefused, StepFailed
from migrator.history.log import Log, begun
from migrator.results import Applied
from migrator.runner.autocommit import Journal, is_repeatable
from migrator.runner.plan import Step
from migrator.settings import Settings
from migrator.url import scrub

if TYPE_CHECKING:
    from migrator.adopt.match import Claim

_OWN_SETTINGS = ("lock_timeout", "statement_timeout", "retry_for", "accept_loss")


class Steps:
    """The steps of one run. `applied` is what was committed so far, `heads` what the version table must say after it."""

    def __init__(self, connection: Connection, settings: Settings, dialect: Dialect) -> None:
        self.connection = connection
        self.settings = settings
        self.dialect = dialect
        self.log = Log(None, settings.root, settings.audit)
        self.claim: Claim | None = None
        self.applied: list[Applied] = []
        self.heads: set[str] = set()
        self._dealt: tuple[Any, ...] = ()

    def deal(self, heads: Any, migration: MigrationContext) -> tuple[Any, ...]:
        """Alembic's `fn`: what to do next."""
        self._journal.listening = True
        return self._dealt

    def on_version_apply(self, *, heads: set[str], **_: Any) -> None:
        """Alembic's hook, called in the step's transaction when the version row is written: the last look before the commit."""
        self._journal.listening = False
        self.dialect.verify(self.connection)
        if self.claim is not None:
            self.claim.verify(heads)
        self._note("done")
        if self.settings.adopting:
            self.log.write_earlier(self.connection, other_runners.earlier(self.connection))
        self._heads_after = heads

    def take(self, step: Step) -> None:
        """Run one step in one transaction; a try that met another session's lock is rolled back and repeated for a while.

        Raises StepFailed, LockError, or what the dialect forbids; nothing of the step is left then, except what stood before or in
        an `autocommit_block()`, which the error lists and the log keeps.
        """
        if step.planned.direction == "stamp" and self.claim is None:
            step = step.unverified
            log.warning("%s is stamped without a look at the schema: nobody has seen whether it is true", step.revision)
        own = {name: value for name in _OWN_SETTINGS if (value := getattr(step.module, name, None)) is not None}
        self.dialect.settings = replace(self.settings, **own)
        self.dialect.step = self._facts(step)
        self._at_work, self._dealt, self._started = step, step.alembic, datetime.now(UTC)
        known = [] if self.applied else self._known(step)
        clock = time.monotonic()
        for self.dialect.attempt in range(1, 100_000):
            try:
                with Journal(self.connection, self.dialect, known, note=partial(self._note, "begun")) as self._journal:
                    self._try(step)
                break
            except DBAPIError as error:
                known = self._journal.left
                if self._journal.had_ended:
                    continue
                if not self.dialect.is_blocked(error) or not is_repeatable(known):
                    raise self._failure(step, error) from error
                self._pause(step, error, time.monotonic() - clock)
            except StampRefused:  # nothing was tried that could fail
                raise
            except MigratorError as error:
                self._record_failure(str(error))
                raise
            except (Exception, SystemExit) as error:
                raise self._failure(step, error) from error
        seconds, done = time.monotonic() - clock, step.planned
        self.heads = self._heads_after
        self.log.is_there = True
        self.applied.append(Applied(done.revision, done.direction, done.description, seconds, self.dialect.attempt))
        log.info("%s %s in %.2f s: %s", done.direction, done.revision, seconds, done.description)

    def _try(self, step: Step) -> None:
        self.connection.begin()  # not as a context manager, which would forbid what follows an autocommit_block()
        try:
            if self.claim is not None:
                self.claim.make_true(context.get_context())
            context.run_migrations()
            if not step.alembic:  # a stamp that only empties the version table
                self.on_version_apply(heads=set())
                self.connection.commit()
        finally:
            if self.connection.in_transaction():
                self.connection.rollback()
            self.dialect.end(self.connection)

    def _known(self, step: Step) -> list[str]:
        """What an interrupted run has committed of this step, to be left out now; StepFailed where that would not be safe.

        Only the first step of a run can find that: what was interrupted comes before everything else.
        """
        entry = begun(self.log.read(self.connection, outcome="begun"))
        self.connection.rollback()
        if entry is None or entry.statements is None or step.planned.direction == "stamp":
            return []
        facts = {"when": entry.when, "who": entry.who, "committed": _listed(entry.statements)}
        if (entry.revision, entry.direction) != (step.revision, step.planned.direction):
            at = self._facts(step)["at"]
            raise StepFailed(
                "step-interrupted-before", revision=entry.revision, direction=entry.direction, at=at, **facts
            )
        if self._rerunnable:
            return []
        if entry.source != step.text or not is_repeatable(entry.statements):
            raise StepFailed("step-interrupted", **self._facts(step), **facts)
        names = "; ".join(entry.statements)
        log.warning(
            "%s was interrupted at %s (%s) and goes on from there: %s", step.revision, entry.when, entry.who, names
        )
        return entry.statements

    @property
    def _rerunnable(self) -> bool:
        return bool(getattr(self._at_work.module, "rerunnable", False))

    def _note(self, outcome: str, statements: Sequence[str] | None = None) -> None:
        user = self.dialect.user(self.connection)
        self.log.write(self.connection, self._at_work, outcome, self._started, user=user, statements=statements)

    def _record_failure(self, error: str) -> None:
        """On another connection, and only as well as it goes: the log's own trouble must not hide what happened."""
        left = self._journal.left
        try:
            with self.dialect.fresh(self.connection) as other:
                write = partial(self.log.write, other, self._at_work, user=self.dialect.user(other))
                if self._journal.refuted:
                    write("begun", self._started, statements=left)
                write("failed", self._started, error=scrub(error, self.connection.engine.url), statements=left or None)
                other.commit()
        except SQLAlchemyError as trouble:
            log.warning(
                "The failure could not be written to the log: %s",
                scrub(str(getattr(trouble, "orig", trouble)), self.connection.engine.url),
            )

    def _pause(self, step: Step, error: DBAPIError, waited: float) -> None:
        names = "; ".join(self.dialect.blockers(self.connection, error)) or "a session that is gone by now"
        if waited >= self.dialect.patience:
            if self._journal.left:
                raise self._failure(step, error) from error
            blocked = {"blockers": names, "tries": self.dialect.attempt, "seconds": round(waited)}
            self._record_failure(f"{error.orig}, tries: {self.dialect.attempt}, in its way: {names}")
            raise LockError("step-blocked", **self._facts(step), **blocked) from error
        log.warning("%s waits, try %d: %s", step.revision, self.dialect.attempt, names)
        time.sleep(random.uniform(0.5, 1) * min(0.1 * 1.5**self.dialect.attempt, 2.0))

    def _failure(self, step: Step, error: BaseException) -> StepFailed:
        text = str(error.orig) if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"
        text = scrub(" ".join(text.split()), self.connection.engine.url)
        self._record_failure(text)
        committed = self._journal.left
        goes_on = self.log.enabled and is_repeatable(committed) and not self._rerunnable
        code = "step-failed" if not committed else "step-failed-partly" if goes_on else "step-failed-within"
        return StepFailed(code, **self._facts(step), error=text, committed=_listed(committed))

    def _facts(self, step: Step) -> dict[str, Any]:
        planned = step.planned
        return {
            "revision": planned.revision,
            "direction": planned.direction,
            "path": planned.path.name,
            "at": ", ".join(sorted(self.heads)) or "base",
            "applied": ", ".join(step.revision for step in self.applied) or "none",
        }


def _listed(statements: Sequence[str]) -> str:
    return "".join(f"\n  - {text[:200]}" for text in statements)
