"""What a run will do, decided and validated whole before the first write."""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RangeNotAncestorError, ResolutionError
from alembic.util import CommandError

from migrator import history
from migrator.errors import HistoryError, MigratorError
from migrator.history import History
from migrator.results import Direction, Planned

StepFunction = Callable[[Any, MigrationContext], Iterable[RevisionStep | StampStep]]


@dataclass(frozen=True)
class Step:
    """One transaction's work: a revision up or down, or all of a stamp. `alembic` is what Alembic's own loop is dealt."""

    planned: Planned
    module: ModuleType | None
    alembic: tuple[RevisionStep | StampStep, ...]

    @property
    def revision(self) -> str:
        return self.planned.revision

    @cached_property
    def text(self) -> str | None:
        """The revision file's text, None for a stamp."""
        return None if self.module is None else self.planned.path.read_text(encoding="utf-8")


def load(script: ScriptDirectory) -> History | None:
    """Read and load every revision file; None where the history branches by design, and only Alembic can follow it.

    Imports the files, writes nothing. Raises HistoryError for whatever is wrong with any of them.
    """
    try:
        found = history.read(map(Path, script._version_locations), recursive=script.recursive_version_locations)
        _ = found.order
    except history.Unclear:
        found = None
    try:
        script.get_heads()
    except MigratorError:
        raise
    except CommandError as error:
        raise HistoryError("alembic", text=error, command="history") from error
    except Exception as error:
        raise _does_not_load(error, script) from error
    return found


def make(asked: Any, function: StepFunction, heads: tuple[str, ...], context: MigrationContext) -> tuple[Step, ...]:
    """Return the steps that lead from `heads` to the revision that was asked for; writes nothing.

    Raises HistoryError when the revision asked for is unknown, ambiguous or out of reach, or one on the way is incomplete.
    """
    script = context.script
    assert script is not None
    try:
        steps = tuple(function(heads, context))
    except MigratorError:
        raise
    except CommandError as error:
        raise _cannot_plan(asked, heads, error, script) from error
    except AttributeError as error:
        raise _incomplete(error, script) from error
    if any(isinstance(step, StampStep) for step in steps) or context.purge:
        return (_stamp(asked, steps),)
    return tuple(_step(step, script) for step in steps if isinstance(step, RevisionStep))


def _step(step: RevisionStep, script: ScriptDirectory) -> Step:
    revision = step.revision
    assert isinstance(revision, Script)
    for name in ("upgrade", "downgrade"):
        if not callable(getattr(revision.module, name, None)):
            raise HistoryError(
                "revision-incomplete", revision=revision.revision, path=Path(revision.path).name, missing=name
            )
    direction: Direction = "upgrade" if step.is_upgrade else "downgrade"
    description = " ".join(revision.doc.split())
    return Step(Planned(revision.revision, direction, description, Path(revision.path)), revision.module, (step,))


def _stamp(asked: Any, steps: tuple[Any, ...]) -> Step:
    wanted = asked if isinstance(asked, str) else ", ".join(asked)
    targets = [revision for step in steps for revision in step.to_revisions] or [wanted]
    return Step(Planned(", ".join(targets), "stamp", f"stamped {wanted}", Path()), None, steps)


def _cannot_plan(asked: Any, heads: tuple[str, ...], error: CommandError, script: ScriptDirectory) -> HistoryError:
    text = asked if isinstance(asked, str) else ", ".join(asked)
    known = [revision.revision for revision in script.walk_revisions()][::-1]
    matching = [revision for revision in known if revision.startswith(text)]
    if len(matching) > 1:
        return HistoryError(
            "revision-ambiguous", asked=text, candidates=", ".join(matching), first=matching[0], command="upgrade"
        )
    if isinstance(error.__cause__, ResolutionError) and not matching:
        return HistoryError(
            "revision-unknown", asked=text, known=f"{known[0]} to {known[-1]}" if known else "no revisions yet"
        )
    reason = "it is on the other side" if isinstance(error.__cause__, RangeNotAncestorError) else str(error)
    return HistoryError("revision-out-of-reach", asked=text, at=", ".join(heads) or "base", reason=reason)


def _incomplete(error: AttributeError, script: ScriptDirectory) -> Exception:
    module = getattr(error, "obj", None)
    if not isinstance(module, ModuleType):
        return error
    return HistoryError(
        "revision-incomplete", revision=module.revision, path=Path(str(module.__file__)).name, missing=error.name
    )


def _does_not_load(error: Exception, script: ScriptDirectory) -> HistoryError:
    if isinstance(error, SyntaxError):
        return HistoryError("revision-does-not-load", path=error.filename, line=error.lineno, error=error.msg)
    folders = {str(folder) for folder in script._version_locations}
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if str(Path(frame.filename).parent) in folders
    ]
    place = (frames[-1].filename, frames[-1].lineno) if frames else (", ".join(folders), "unknown")
    return HistoryError(
        "revision-does-not-load", path=place[0], line=place[1], error=f"{type(error).__name__}: {error}"
    )
