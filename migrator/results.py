"""What the API returns: frozen, small, and free of Alembic's and SQLAlchemy's own objects."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

Direction = Literal["upgrade", "downgrade", "stamp"]


@dataclass(frozen=True)
class Applied:
    """One step that was committed; `seconds` from the first statement to after the commit, `tries` counts lock retries."""

    revision: str
    direction: Direction
    description: str
    seconds: float
    tries: int = 1


@dataclass(frozen=True)
class Report:
    """What one run did. `before` and `after` are the version table's heads, empty for base."""

    url: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    steps: tuple[Applied, ...] = ()

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)


@dataclass(frozen=True)
class Planned:
    """One step that a run would take."""

    revision: str
    direction: Direction
    description: str
    path: Path


@dataclass(frozen=True)
class Revision:
    """One revision file and what the database knows of it."""

    revision: str
    description: str
    path: Path
    applied: bool
    applied_at: datetime | None = None
    seconds: float | None = None
    edited: bool = False


@dataclass(frozen=True)
class Status:
    """Where the database is: `at` its heads, `head` of the files, each revision from base to head."""

    url: str
    at: tuple[str, ...]
    head: str | None
    revisions: tuple[Revision, ...]

    @property
    def pending(self) -> tuple[Revision, ...]:
        return tuple(revision for revision in self.revisions if not revision.applied)
