"""A step that an earlier run left half done, because that run was killed inside an `autocommit_block()`."""

import logging

from migrator.errors import error
from migrator.runner.plan import Step
from migrator.runner.repeatable import is_repeatable, left_by
from migrator.runner.state import Run

_log = logging.getLogger("migrator")


def committed_before(run: Run, step: Step) -> list[str]:
    """Return what an interrupted run has committed of this step, to be left out now. Reads the log, in a transaction of its own.

    Only the first step of a run can find that: what was interrupted comes before everything else. Raises StepFailed if another step was
    interrupted, or this one where nobody but its author knows how to go on.
    """
    try:
        entry = run.log.begun(run.connection, run.texts)
    finally:
        run.connection.rollback()
    if entry is None or entry.statements is None or step.direction == "stamp":
        return []
    left = left_by(entry.statements)
    facts = {"when": entry.when, "who": entry.who, "committed": tuple(left)}
    if (entry.revision, entry.direction) != (step.revision, step.direction):
        raise error("step-interrupted-before", revision=entry.revision, direction=entry.direction, **facts)
    if not left:  # a statement began, failed, and left nothing
        return []
    listed = "; ".join(left)
    if step.options.rerunnable or run.request.rerun_interrupted:
        _log.warning(
            "%s was interrupted at %s (%s) and is run again from its start, although this is there: %s",
            step.revision,
            entry.when,
            entry.who,
            listed,
        )
        return []
    if entry.source != step.text or not is_repeatable(entry.statements):
        raise error("step-interrupted", **facts)
    _log.warning("%s was interrupted at %s (%s) and is resumed after: %s", step.revision, entry.when, entry.who, listed)
    return entry.statements
