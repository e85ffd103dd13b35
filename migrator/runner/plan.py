"""What a run will do, decided and validated whole before the first write."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from alembic.script import Script
from alembic.util import CommandError

from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.history.attributes import StepOptions
from migrator.history.files import Texts, whole
from migrator.results import Direction, Planned
from migrator.runner.alembic_errors import cannot_plan, incomplete

StepFunction = Callable[[Any, MigrationContext], Iterable[RevisionStep | StampStep]]


@dataclass(frozen=True)
class Step:
    """One transaction's work: a revision up or down, or all of a stamp."""

    planned: Planned
    alembic: tuple[RevisionStep | StampStep, ...]
    """What Alembic's own loop is given to run."""
    options: StepOptions = field(default_factory=StepOptions)
    """How the revision's file wants to be run."""
    text: str | None = None
    """The file's text as it was loaded, None for a stamp."""

    @property
    def revision(self) -> str:
        """The revision's id; of a stamp, all that it leads to."""
        return self.planned.revision

    @property
    def direction(self) -> Direction:
        """Up, down, or a stamp."""
        return self.planned.direction

    @property
    def unverified(self) -> "Step":
        """The same stamp, with a description that says that the schema was not compared."""
        return replace(self, planned=replace(self.planned, description=f"{self.planned.description}, not verified"))


def make(
    asked: Any, function: StepFunction, heads: tuple[str, ...], context: MigrationContext, texts: Texts
) -> tuple[Step, ...]:
    """Return the steps that lead from `heads` to the revision that was asked for; writes nothing.

    Raises HistoryError when the revision asked for is unknown, ambiguous or out of reach, or when one on the way is incomplete or has an
    attribute that cannot be used.
    """
    script = context.script
    assert script is not None
    try:
        steps = tuple(function(() if context.purge else heads, context))
    except MigratorError:
        raise
    except (CommandError, AssertionError) as raised:  # Alembic asserts that a branch has one revision to count from
        raise cannot_plan(asked, heads, raised, script) from raised
    except AttributeError as raised:
        raise incomplete(raised) or raised from None
    if any(isinstance(step, StampStep) for step in steps) or context.purge:
        return (_stamp(asked, steps),)
    return tuple(_step(step, texts) for step in steps if isinstance(step, RevisionStep))


def _step(step: RevisionStep, texts: Texts) -> Step:
    revision = step.revision
    assert isinstance(revision, Script)
    id_, path = revision.revision, Path(revision.path)
    direction: Direction = "upgrade" if step.is_upgrade else "downgrade"
    if not callable(getattr(revision.module, direction, None)):
        raise error("revision-incomplete", revision=id_, path=path.name, missing=direction)
    options = StepOptions.of(revision.module, revision=id_, path=path.name)
    planned = Planned(id_, direction, " ".join(revision.doc.split()), path)
    return Step(planned, (whole(step),), options, texts[id_])


def _stamp(asked: Any, steps: tuple[Any, ...]) -> Step:
    wanted = asked if isinstance(asked, str) else ", ".join(asked)
    targets = [revision for step in steps for revision in step.to_revisions] or [wanted]
    return Step(Planned(", ".join(targets), "stamp", f"stamped {wanted}", Path()), steps)
