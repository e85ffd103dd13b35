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
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from migrator.audit import Log
from migrator.dialects.base import Dialect, log
from migrator.errors import LockError, MigratorError, StepFailed
from migrator.journal import Journal, is_repeatable
from migrator.plan import Step
from migrator.results import Applied
from migrator.settings import Settings
from migrator.url import scrub

_OWN_SETTINGS = ("lock_timeout", "statement_timeout", "retry_for")


class Steps:
    """The steps of one run. `applied` is what was committed so far, `heads` what the version table must say after it."""

    def __init__(self, connection: Connection, settings: Settings, dialect: Dialect) -> None:
        self.connection = connection
        self.settings = settings
        self.dialect = dialect
        self.log = Log(None, settings.root, settings.audit)
        self.applied: list[Applied] = []
        self.heads: set[str] = set()
        self._dealt: tuple[Any, ...] = ()

    def deal(self, heads: Any, migration: MigrationContext) -> tuple[Any, ...]:
        """Alembic's `fn`: what to do next."""
        return self._dealt

    def on_version_apply(self, *, heads: set[str], **_: Any) -> None:
        """Alembic's hook, called in the step's transaction when the version row is written: the last look before the commit."""
        self._journal.done = True
        self.dialect.verify(self.connection)
        self._note("done")
        self._heads_after = heads

    def take(self, step: Step) -> None:
        """Run one step in one transaction; a try that met another session's lock is rolled back and repeated for a while.

        Raises StepFailed, LockError, or what the dialect forbids; nothing of the step is left then, except what stood before or in
        an `autocommit_block()`, which the error lists and the log keeps.
        """
        own = {name: value for name in _OWN_SETTINGS if (value := getattr(step.module, name, None)) is not None}
        self.dialect.settings = replace(self.settings, **own)
        self._at_work, self._dealt, self._started = step, step.alembic, datetime.now(UTC)
        known = self._known(step)
        clock = time.monotonic()
        for self.dialect.attempt in range(1, 100_000):
            try:
                with Journal(self.connection, self.dialect, known, note=partial(self._note, "begun")) as self._journal:
                    self._try(step)
                break
            except DBAPIError as error:
                known = self._journal.left
                if not self.dialect.is_blocked(error) or (known and not (self.log.enabled and is_repeatable(known))):
                    raise self._failure(step, error) from error
                self._pause(step, error, time.monotonic() - clock)
            except MigratorError as error:
                self._record_failure(str(error))
                raise
            except Exception as error:
                raise self._failure(step, error) from error
        seconds, done = time.monotonic() - clock, step.planned
        self.heads = self._heads_after
        self.applied.append(Applied(done.revision, done.direction, done.description, seconds, self.dialect.attempt))
        log.info("%s %s in %.2f s: %s", done.direction, done.revision, seconds, done.description)

    def _try(self, step: Step) -> None:
        self.connection.begin()  # not as a context manager, which would forbid what follows an autocommit_block()
        try:
            context.run_migrations()
            if not step.alembic:  # a stamp that only empties the version table
                self.on_version_apply(heads=set())
                self.connection.commit()
        finally:
            if self.connection.in_transaction():
                self.connection.rollback()

    def _known(self, step: Step) -> list[str]:
        """What an interrupted run of this step has committed, to be left out now; StepFailed where that would not be safe."""
        entry = self.log.begun(self.connection, step)
        self.connection.rollback()
        if entry is None or entry.statements is None or getattr(step.module, "rerunnable", False):
            return []
        facts = {"when": entry.finished_at.isoformat(sep=" ", timespec="seconds"), "who": entry.who}
        if entry.source != step.text or not is_repeatable(entry.statements):
            raise StepFailed("step-interrupted", **self._facts(step), **facts, committed=_listed(entry.statements))
        log.warning(
            "%s was interrupted at %s (%s) and goes on from there: %s",
            step.revision,
            *facts.values(),
            "; ".join(entry.statements),
        )
        return entry.statements

    def _note(self, outcome: str, statements: Sequence[str] | None = None) -> None:
        user = self.dialect.user(self.connection)
        self.log.write(self.connection, self._at_work, outcome, self._started, user=user, statements=statements)

    def _record_failure(self, error: str) -> None:
        """On another connection, and only as well as it goes: the log's own trouble must not hide what happened."""
        try:
            with self.dialect.fresh(self.connection) as other:
                user = self.dialect.user(other)
                self.log.write(
                    other,
                    self._at_work,
                    "failed",
                    self._started,
                    user=user,
                    error=error,
                    statements=self._journal.left or None,
                )
                other.commit()
        except SQLAlchemyError as trouble:
            log.warning(
                "The failure could not be written to the log: %s", scrub(str(trouble), self.connection.engine.url)
            )

    def _pause(self, step: Step, error: DBAPIError, waited: float) -> None:
        names = "; ".join(self.dialect.blockers(self.connection, error)) or "a session that is gone by now"
        if waited >= self.dialect.patience:
            raise LockError(
                "step-blocked", **self._facts(step), blockers=names, tries=self.dialect.attempt, seconds=round(waited)
            ) from error
        log.warning("%s waits, try %d: %s", step.revision, self.dialect.attempt, names)
        time.sleep(random.uniform(0.5, 1) * min(0.1 * 1.5**self.dialect.attempt, 2.0))

    def _failure(self, step: Step, error: Exception) -> StepFailed:
        text = str(error.orig) if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"
        text = scrub(" ".join(text.split()), self.connection.engine.url)
        self._record_failure(text)
        committed = self._journal.left
        code = "step-failed-partly" if committed else "step-failed"
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
