"""What a run knows of itself when it ends early, and how an error says it: nothing here is guessed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from migrator.results import Applied, Planned, Report

_DONE = {"upgrade": "Applied", "downgrade": "Reverted", "stamp": "Stamped", "imported": "Imported"}
_LISTED = 6  # more ids than these are told as "first to last"


@dataclass(frozen=True)
class Progress:
    """How far a run came. `before` and `at` are heads, empty for base; `applied` are the steps whose commit was seen."""

    before: tuple[str, ...] = ()
    applied: tuple[Applied, ...] = ()
    at: tuple[str, ...] = ()
    """The heads after the last commit that was seen."""
    running: Planned | None = None
    """The step that was begun and not committed."""
    stayed: tuple[str, ...] = ()
    """What the step that was running had committed in an `autocommit_block()`; "begun: " in front of one that may be incomplete."""
    committed_itself: bool | None = False
    """Whether that step committed a part of itself, as the database says; None if it could not be asked. What it did past SQLAlchemy is
    not in `stayed`."""
    unseen: bool = False
    """Whether its transaction had ended, and something came after it on the same connection that the engine has not seen."""
    elsewhere: tuple[str, ...] = ()
    """What that step executed and committed on other connections of SQLAlchemy's, each text once."""
    in_doubt: bool = False
    """Whether the run ended during the COMMIT of the step that was running, so that it may be there or not."""

    def attach(self, raised: BaseException) -> None:
        """Let an exception say how far the run had come that it ends. It is also in the `fields` of an error of the engine's."""
        raised.progress = self  # type: ignore[attr-defined]
        if isinstance(fields := getattr(raised, "fields", None), dict):
            fields.setdefault("applied", tuple(step.revision for step in self.applied))
            fields.setdefault("at", self.at)

    def after(self, report: Report) -> "Progress":
        """Return the same with an earlier run of the same command in front, which was committed."""
        return replace(self, before=report.before, applied=(*report.steps, *self.applied), at=self.at or report.after)


def consequence(progress: Progress | None) -> str:
    """Return what was and was not changed, in one or two sentences."""
    if progress is None:
        return "Nothing was changed."
    return " ".join(filter(None, (_step(progress), _elsewhere(progress), _kept(progress)))) or "Nothing was changed."


def listed(ids: Sequence[str]) -> str:
    """Return ids in words: each of a few, else the first and the last."""
    return ", ".join(ids) if len(ids) <= _LISTED else f"{ids[0]} to {ids[-1]} ({len(ids)} revisions)"


def _step(progress: Progress) -> str:
    step, at = progress.running, ", ".join(progress.at) or "base"
    if step is None:
        return ""
    if progress.in_doubt:
        return (
            f"It is not known whether the {step.direction} of {step.revision} was committed: the run ended during its COMMIT. "
            "The next run looks and goes on from there."
        )
    if progress.stayed or progress.committed_itself:
        return f"The version table still says {at}, and statements that it committed before it failed remain."
    if progress.committed_itself is None:
        return (
            f"Whether the {step.direction} of {step.revision} was rolled back could not be looked up; the database was at {at} before it. "
            "The next run looks and goes on from there."
        )
    if progress.unseen:
        return (
            f"The transaction of the {step.direction} of {step.revision} was rolled back; what it did after that on the driver's own "
            f"connection is not known. The database was at {at} before it."
        )
    if step.direction == "stamp":
        return f"Nothing was stamped; the database is at {at}."
    return f"The {step.direction} of {step.revision} was rolled back; the database is at {at}."


def _elsewhere(progress: Progress) -> str:
    if not progress.elsewhere or progress.running is None:
        return ""
    shown = "; ".join(" ".join(text.split())[:200] for text in progress.elsewhere[:_LISTED])
    more = len(progress.elsewhere) - _LISTED
    return f"What it committed on a connection of its own is not rolled back: {shown}{f'; and {more} more' if more > 0 else ''}."


def _kept(progress: Progress) -> str:
    if not progress.applied:
        return ""
    before = " before it" if progress.running else ""
    parts = [
        f"{_DONE[direction]}{before} in this run and kept: {listed([step.revision for step in steps])}"
        for direction, steps in groupby(progress.applied, key=lambda step: step.direction)
    ]
    if progress.running is None or progress.in_doubt:
        parts.append(f"the database is at {', '.join(progress.at) or 'base'}")
    return f"{'; '.join(parts)}."
