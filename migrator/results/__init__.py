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
    not_compared: tuple[str, ...] = ()
    """After a stamp that compared the schema: what it did not compare, in words."""

    @property
    def seconds(self) -> float:
        """How long all the steps took together."""
        return sum(step.seconds for step in self.steps)


class _Told:
    """Who did something and when, in words."""

    finished_at: datetime
    os_user: str | None
    host: str | None
    git_commit: str | None

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
class Ran(_Told):
    """The last upgrade of a revision that was done, as the log tells it without the text that ran. `id` is the entry's."""

    id: int
    revision: str
    checksum: str | None
    finished_at: datetime
    duration_ms: int
    os_user: str | None
    host: str | None
    git_commit: str | None


@dataclass(frozen=True)
class Entry(_Told):
    """One row of `migration_log`. `outcome` is done, failed, or begun: killed inside an `autocommit_block()`.

    `version_table` says to which history it belongs, None where an older release wrote it. `duration_ms` is in milliseconds, `checksum`
    the sha256 of `source`, the file's text as it ran, and `signature` what `log_key` makes of it; `statements` are what a step that did
    not finish had committed by then.
    """

    id: int
    version_table: str | None
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
    signature: str | None
    source: str | None
    error: str | None
    statements: list[str] | None


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
    """Where the database is: `at` its heads, the `heads` of the files, each revision from base to head.

    `head` is the one of the files; None where there are several, or none.
    """

    url: str
    at: tuple[str, ...]
    head: str | None
    revisions: tuple[Revision, ...]
    heads: tuple[str, ...] = ()

    @property
    def pending(self) -> tuple[Revision, ...]:
        """The revisions that are not applied, in their order."""
        return tuple(revision for revision in self.revisions if not revision.applied)
