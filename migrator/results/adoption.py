"""What `adopt` and `baseline` return. Apart from the rest, because most commands need none of it and each class costs time to load."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from migrator.results import Report


@dataclass(frozen=True)
class ImportedMigration:
    """One migration that another runner applied; `applied_at` is None where its table does not say."""

    runner: str
    table: str
    name: str
    applied_at: datetime | None
    description: str


@dataclass(frozen=True)
class OtherRunner:
    """A table in which another migration runner keeps its history."""

    table: str
    runner: str
    entries: int | None
    """None where the table cannot be read."""

    def __str__(self) -> str:
        if self.entries is None:
            return f"{self.table} of {self.runner}, which cannot be read"
        return f"{self.table} of {self.runner}, with {self.entries:,} entr{'y' if self.entries == 1 else 'ies'}"


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in two schemas, in words and as data.

    `harmless`: nothing that runs on the one fails on the other. With `found` alone it is too much, with `wanted` alone it is missing.
    """

    table: str
    """The table, or another object that has a name of its own."""
    text: str
    harmless: bool = False
    weight: int = 1
    """How far apart it puts the two schemas: a missing table counts for everything in it."""
    kind: str = ""
    """"table", "view", "column", "type", "nullable", "default", "extra", "index", "index name", "check", "trigger", "property", …"""
    object: str | None = None
    """The column, constraint, index or trigger of the table; None for the table itself and for what has no name."""
    wanted: str | None = None
    found: str | None = None

    def __str__(self) -> str:
        return f"{self.text} (harmless)" if self.harmless else self.text


@dataclass(frozen=True)
class Match:
    """How far a database is from one revision."""

    revision: str
    differences: tuple[Difference, ...]
    extra: tuple[Difference, ...] = ()
    """Columns and indexes that no revision makes, and none has to know: they are left alone, and do not count."""

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
    def lost(self) -> tuple[Difference, ...]:
        """The tables and columns that the revision does not have: to be there, the database would have to lose them."""
        return tuple(each for each in self.real if each.wanted is None and each.kind in ("table", "column"))

    @property
    def distance(self) -> tuple[int, int, int]:
        """What orders matches: the weight of what would be lost, that of all differences that matter, the number of differences."""
        lost, real = (sum(each.weight for each in those) for those in (self.lost, self.real))
        return lost, real, len(self.differences)

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
    not_compared: tuple[str, ...] = ()
    """What an exact match says nothing of, in words."""

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
    steps: tuple[str, ...] = ()
    """What the bridge does, in words, with the number of rows."""
    runners: tuple[OtherRunner, ...] = ()
    """The other runners' tables, also those without an entry."""

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
