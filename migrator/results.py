"""What the API returns: frozen, small, and free of Alembic's and SQLAlchemy's own objects."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

Direction = Literal["upgrade", "downgrade", "stamp", "imported"]
"""`imported` only in the log: what another runner applied before the database was adopted."""


@dataclass(frozen=True)
class Applied:
    """One step that was committed; `seconds` from the first statement to after the commit."""

    revision: str
    direction: Direction
    description: str
    seconds: float
    tries: int = 1
    """Attempts, the successful one included; more than 1 after waiting for a table's lock."""


@dataclass(frozen=True)
class Report:
    """What one run did. `before` and `after` are the version table's heads, empty for base."""

    url: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    steps: tuple[Applied, ...] = ()

    @property
    def seconds(self) -> float:
        """How long all the steps took together."""
        return sum(step.seconds for step in self.steps)


@dataclass(frozen=True)
class Entry:
    """One row of `migration_log`. `outcome` is done, failed, or begun: killed inside an `autocommit_block()`.

    `duration_ms` is in milliseconds, `checksum` the sha256 of `source`, the file's text as it ran; `statements` are what a step
    that did not finish had committed by then.
    """

    id: int
    revision: str
    description: str
    direction: Direction
    outcome: Literal["done", "failed", "begun"]
    started_at: datetime
    finished_at: datetime
    duration_ms: int
    database_user: str | None
    os_user: str | None
    host: str | None
    program: str | None
    git_commit: str | None
    file: str | None
    checksum: str | None
    source: str | None
    error: str | None
    statements: list[str] | None

    @property
    def when(self) -> str:
        """When it ended, in words."""
        return self.finished_at.isoformat(sep=" ", timespec="seconds")

    @property
    def who(self) -> str:
        """Who ran it and from where, in words."""
        names = f"{self.os_user or 'unknown user'}@{self.host or 'unknown host'}"
        return f"{names}, git commit {self.git_commit[:12]}" if self.git_commit else names


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
        """The revisions that are not applied, in their order."""
        return tuple(revision for revision in self.revisions if not revision.applied)


@dataclass(frozen=True)
class ImportedMigration:
    """One migration that another runner applied; `applied_at` is None where its table does not say."""

    runner: str
    table: str
    name: str
    applied_at: datetime | None
    description: str


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in two schemas, in words. `harmless`: nothing that runs on the one fails on the other."""

    table: str
    text: str
    harmless: bool = False
    weight: int = 1
    """How far apart it puts the two schemas: a missing table counts for everything in it."""

    def __str__(self) -> str:
        return f"{self.text} (harmless)" if self.harmless else self.text


@dataclass(frozen=True)
class Match:
    """How far a database is from one revision."""

    revision: str
    differences: tuple[Difference, ...]

    @property
    def exact(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    @property
    def harmless(self) -> bool:
        """Whether nothing differs that matters."""
        return all(difference.harmless for difference in self.differences)

    @property
    def real(self) -> tuple[Difference, ...]:
        """The differences that matter."""
        return tuple(difference for difference in self.differences if not difference.harmless)

    @property
    def distance(self) -> tuple[int, int]:
        """What orders matches: the weight of the differences that matter, then the number of all differences."""
        return sum(difference.weight for difference in self.real), len(self.differences)

    def __str__(self) -> str:
        return f"{self.revision}: {len(self.real)} real, {len(self.differences) - len(self.real)} harmless"


@dataclass(frozen=True)
class Verdict:
    """The nearest revisions, best first; `alike` have exactly the schema of the best, `extra` are tables that no revision creates."""

    matches: tuple[Match, ...]
    alike: tuple[str, ...]
    extra: tuple[str, ...]
    tables: int
    """How many of the history's tables are there."""

    @property
    def best(self) -> Match:
        """The nearest revision."""
        return self.matches[0]


@dataclass(frozen=True)
class Adoption:
    """What `adopt` found and did. `report` is the stamp's or the upgrade's, None when nothing was written; `bridge` the file it wrote."""

    at: tuple[str, ...]
    """What the version table said before, which may be wrong."""
    verdict: Verdict
    imported: tuple[ImportedMigration, ...]
    report: Report | None = None
    bridge: Path | None = None

    @property
    def is_there(self) -> bool:
        """Whether the version table already says what the schema is."""
        names = (self.verdict.best.revision, *self.verdict.alike)
        return self.verdict.best.exact and self.at in {(name,) for name in names}


@dataclass(frozen=True)
class Baseline:
    """What `baseline` wrote, and the stamp."""

    models: Path
    revision: Path
    tables: tuple[str, ...]
    report: Report | None = None
