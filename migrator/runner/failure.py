"""How a step fails: its row in the log, and the error that says what stayed."""

import logging
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.exc import DBAPIError

from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.masking import scrub
from migrator.runner.autocommit import CommittedStatements
from migrator.runner.plan import Step
from migrator.runner.repeatable import is_repeatable
from migrator.runner.state import Run

_log = logging.getLogger("migrator")


class StepLog:
    """The rows of one step in the log; `started` is when the step began."""

    def __init__(self, run: Run, step: Step) -> None:
        """Begin now; writes nothing."""
        self.started = datetime.now(UTC)
        self._run = run
        self._step = step
        self._write = partial(run.log.write, text=step.text, user=run.session.user())

    def note(self, outcome: str, statements: list[str] | None = None) -> None:
        """Write `done`, or `begun` with what is committed so far, in the open transaction of the connection that migrates."""
        self._write(self._run.connection, self._step.planned, outcome, self.started, statements=statements)

    def failed(self, reason: str, statements: CommittedStatements | None) -> None:
        """Write `failed`, on another connection, and as far as possible: the log's own trouble must not hide what happened."""
        left = statements.remaining if statements else []
        try:
            with self._run.session.second_connection() as other:
                write = partial(self._write, other, self._step.planned)
                if statements and statements.is_log_behind:
                    write("begun", self.started, statements=statements.noted)
                write("failed", self.started, error=reason, statements=left or None)
                other.commit()
        except Exception as trouble:  # also the driver's own, for a text that the client's encoding does not have
            _log.warning("The failure could not be written to the log: %s", words(trouble, self._run))


def failure(step: Step, raised: BaseException, text: str, committed: tuple[str, ...], run: Run) -> MigratorError:
    """Return the error for a step that failed with `raised`, whose words are `text`, and had committed these statements."""
    advice = run.dialect.remedy(raised) if isinstance(raised, DBAPIError) else None
    if advice and not committed:
        return error("step-failed-outside", error=text, advice=advice)
    resumable = run.settings.log and is_repeatable(committed) and not step.options.rerunnable
    code = "step-failed" if not committed else "step-failed-partly" if resumable else "step-failed-unresumable"
    return error(code, error=text, committed=committed)


def words(raised: BaseException, run: Run) -> str:
    """Return what an exception says in one line that can be printed and kept, without passwords, whatever a revision raised."""
    said = raised.orig if isinstance(raised, DBAPIError) else raised
    try:
        text = str(said)
    except Exception as trouble:
        text = f"(its text cannot be shown: {type(trouble).__name__})"
    text = text if said is not raised else f"{type(raised).__name__}: {text}"
    text = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    return scrub(" ".join(text.split()), run.connection.engine.url, run.settings.log_key)
