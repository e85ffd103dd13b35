"""One step: its transaction, its tries, and what is said when it fails.

Alembic's own loop runs the revision, dealt one step at a time, inside a transaction that is opened here. Alembic joins a transaction that
it finds when a step begins, and commits it with the version row: so the version table, the change and what the hooks write are one.
"""

import random
import time
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.base import Dialect, log
from migrator.errors import LockError, MigratorError, StepFailed
from migrator.plan import Step
from migrator.results import Applied
from migrator.settings import Settings
from migrator.url import scrub

_OWN_SETTINGS = ("lock_timeout", "statement_timeout", "retry_for")
_READING = ("SELECT", "PRAGMA", "SHOW", "SET", "BEGIN")


class Steps:
    """The steps of one run. `applied` is what was committed so far, `heads` what the version table must say after it."""

    def __init__(self, connection: Connection, settings: Settings, dialect: Dialect) -> None:
        self.connection = connection
        self.settings = settings
        self.dialect = dialect
        self.applied: list[Applied] = []
        self.heads: set[str] | None = None
        self._dealt: tuple[Any, ...] = ()
        self._journal = Journal(connection)

    def deal(self, heads: Any, migration: MigrationContext) -> tuple[Any, ...]:
        """Alembic's `fn`: what to do next."""
        return self._dealt

    def on_version_apply(self, *, heads: set[str], **_: Any) -> None:
        """Alembic's hook, called in the step's transaction when the version row is written: the last look before the commit."""
        self.dialect.verify(self.connection)
        self.heads = heads

    def take(self, step: Step) -> None:
        """Run one step in one transaction; a try that met another session's lock is rolled back and repeated for a while.

        Raises StepFailed, LockError, or what the dialect forbids; nothing of the step is left then, except what stood before or in
        an `autocommit_block()`, which the error lists.
        """
        own = {name: value for name in _OWN_SETTINGS if (value := getattr(step.module, name, None)) is not None}
        self.dialect.settings = replace(self.settings, **own)
        self._dealt = step.alembic
        started = time.monotonic()
        for self.dialect.attempt in range(1, 100_000):
            try:
                with Journal(self.connection) as self._journal, self.connection.begin():
                    context.run_migrations()
                break
            except MigratorError:
                raise
            except DBAPIError as error:
                if self._journal.committed or not self.dialect.is_blocked(error):
                    raise self._failure(step, error) from error
                self._pause(step, error, time.monotonic() - started)
            except Exception as error:
                raise self._failure(step, error) from error
        seconds = time.monotonic() - started
        done = step.planned
        self.applied.append(Applied(done.revision, done.direction, done.description, seconds, self.dialect.attempt))
        log.info("%s %s in %.2f s: %s", done.direction, done.revision, seconds, done.description)

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
        committed = "; ".join(self._journal.committed)
        return StepFailed(
            "step-failed-partly" if committed else "step-failed", **self._facts(step), error=text, committed=committed
        )

    def _facts(self, step: Step) -> dict[str, Any]:
        planned = step.planned
        return {
            "revision": planned.revision,
            "direction": planned.direction,
            "path": planned.path.name,
            "at": ", ".join(sorted(self.heads)) if self.heads is not None else "where it was",
            "applied": ", ".join(step.revision for step in self.applied) or "none",
        }


class Journal:
    """The statements of a try that are committed before the step is: those before and in an `autocommit_block()`."""

    def __init__(self, connection: Connection) -> None:
        self.committed: list[str] = []
        self._connection = connection
        self._open: list[str] = []
        self._listeners = (("after_cursor_execute", self._executed), ("commit", self._commit))

    def __enter__(self) -> "Journal":
        for name, listener in self._listeners:
            sa.event.listen(self._connection, name, listener)
        return self

    def __exit__(self, *_: object) -> None:
        for name, listener in self._listeners:
            sa.event.remove(self._connection, name, listener)

    def _executed(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(_READING):
            return
        autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        (self.committed if autocommit else self._open).append(" ".join(statement.split())[:120])

    def _commit(self, connection: Connection) -> None:
        self.committed += self._open
        self._open = []
