"""Which revision a database is at, told by its schema alone; and whether it is at the one that somebody says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from migrator.adopt import bridge
from migrator.adopt.other_runners import TABLES, Earlier
from migrator.errors.texts import program
from migrator.errors.tree import HistoryError, StampRefused
from migrator.history.log import latest_runs
from migrator.results import Entry, Report
from migrator.schema.replay import Replay
from migrator.schema.snapshot import Difference, Snapshot, compare, snapshot
from migrator.settings import Settings


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
        """What orders matches: the weight of what is not harmless, then how many differences there are at all."""
        return sum(difference.weight for difference in self.real), len(self.differences)


@dataclass(frozen=True)
class Verdict:
    """The nearest revisions, best first; `alike` have the very same schema as the best, `extra` are tables that no revision makes."""

    matches: tuple[Match, ...]
    alike: tuple[str, ...]
    extra: tuple[str, ...]
    tables: int
    """How many of the history's tables are there."""

    @property
    def best(self) -> Match:
        """The nearest revision."""
        return self.matches[0]


def look(connection: Connection, replay: Replay) -> Verdict:
    """Compare the connected database with every revision. Reads only."""
    return judge(_found(connection, replay), replay.schemas)


def judge(found: Snapshot, schemas: Mapping[str, Snapshot]) -> Verdict:
    """Compare a schema with every revision's. Of revisions that are equally near the earliest comes first: a revision that changes rows
    only leaves no trace in the schema, and is better run again than left out."""
    known = {name for tables in schemas.values() for name in tables}
    revisions = {revision: tables for revision, tables in schemas.items() if revision != "base"}
    matches = [Match(revision, compare(found, tables, known=known)) for revision, tables in revisions.items()]
    matches.sort(key=lambda match: match.distance)  # stable: earlier revisions first
    alike = tuple(r for r, t in revisions.items() if r != matches[0].revision and t == revisions[matches[0].revision])
    extra = tuple(sorted(found.keys() - known))
    return Verdict(tuple(matches[:3]), alike, extra, len(known & found.keys()))


def verify(connection: Connection, replay: Replay, revision: str, *, accept_harmless: bool = False) -> None:
    """Raise StampRefused unless the connected database has the schema that the history gives at `revision`. Reads only."""
    if replay.branches:
        raise StampRefused("stamp-unverifiable", revision=revision)
    there = _found(connection, replay)
    verdict = judge(there, replay.schemas)
    match = Match(revision, compare(there, replay.schemas[revision], known=replay.known))
    if match.exact or (accept_harmless and match.harmless):
        return
    best = verdict.best
    found = (
        f"it matches {best.revision}" if best.exact else f"the nearest is {best.revision}, {len(best.differences)} away"
    )
    raise StampRefused(
        "stamp-refused",
        revision=revision,
        differences="".join(f"\n  - {d.text}{' (harmless)' if d.harmless else ''}" for d in match.differences),
        found=found if verdict.tables else "it has none of the history's tables",
        best=best.revision,
        commands=bridge.operations(connection, replay, revision) or "  (no command of Alembic's says it)",
    )


def _found(connection: Connection, replay: Replay) -> Snapshot:
    return snapshot(connection, replay.dialect, ignore=replay.own_tables | TABLES)


class Claim:
    """What a stamp says of the database, made true by a bridge where there is one, and looked at in the stamp's own transaction."""

    def __init__(self, connection: Connection, replay: Replay, settings: Settings) -> None:
        self._connection = connection
        self._replay = replay
        self._settings = settings
        if not replay.branches:
            _ = replay.known  # replayed before any lock is taken

    def make_true(self, migration: MigrationContext) -> None:
        """Run the bridge, if there is one, on the connection's open transaction."""
        if self._settings.bridge is not None:
            with Operations.context(migration):
                bridge.load(self._settings.bridge).upgrade()

    def verify(self, heads: Collection[str]) -> None:
        """Raise StampRefused unless the schema is the one at `heads`."""
        if self._replay.branches or len(heads) > 1:
            raise StampRefused("stamp-unverifiable", revision=", ".join(heads))
        revision = next(iter(heads), "base")
        # From here to the commit nobody else may change what is compared.
        self._replay.dialect.hold_still(self._connection, self._replay.known)
        verify(self._connection, self._replay, revision, accept_harmless=self._settings.accept_harmless)


@dataclass(frozen=True)
class Adoption:
    """What `adopt` found and did. `report` is the stamp's or the upgrade's, None when nothing was written; `bridge` the file it wrote."""

    at: tuple[str, ...]
    """What the version table said before, which may have been a lie."""
    verdict: Verdict
    earlier: tuple[Earlier, ...]
    report: Report | None = None
    bridge: Path | None = None

    @property
    def is_there(self) -> bool:
        """Whether the version table already says what the schema is."""
        return self.verdict.best.exact and self.at in {
            (self.verdict.best.revision,),
            *((r,) for r in self.verdict.alike),
        }


def write_bridge(connection: Connection, replay: Replay, found: Adoption) -> Path:
    """Write the file that takes the database to the nearest revision, and return where it is. Reads the database only."""
    revision = found.verdict.best.revision
    path = Path(replay.script.dir, "bridges", f"to_{revision}.py")
    command = f"{program()} adopt --bridge {path}"
    bridge.write(path, bridge.operations(connection, replay, revision), revision=revision, command=command)
    return path


def target_of(path: Path) -> str:
    """Return the revision that a bridge leads to; HistoryError where the file is none."""
    revision = getattr(bridge.load(path), "revision", None) if path.is_file() else None
    if not isinstance(revision, str):
        raise HistoryError("bridge-unusable", path=path)
    return revision


def check(found: Adoption, *, accept_harmless: bool) -> None:
    """Raise unless the database is at one revision for certain: HistoryError where nothing of ours is there, else StampRefused."""
    verdict = found.verdict
    if not verdict.tables:
        code = "adopt-foreign" if verdict.extra else "adopt-empty"
        raise HistoryError(code, tables=", ".join(verdict.extra[:10]))
    if verdict.best.exact or (accept_harmless and verdict.best.harmless):
        return
    listed = "".join(
        f"\n  {m.revision}: {len(m.real)} real, {len(m.differences) - len(m.real)} harmless" for m in verdict.matches
    )
    code = "adopt-harmless" if verdict.best.harmless else "adopt-no-match"
    differences = "".join(f"\n  - {d.text}{' (harmless)' if d.harmless else ''}" for d in verdict.best.differences)
    raise StampRefused(code, nearest=listed, best=verdict.best.revision, differences=differences, adoption=found)


def check_downgrade(connection: Connection, replay: Replay, revisions: Sequence[str], entries: Sequence[Entry]) -> None:
    """Raise HistoryError, saying what would go, when one of the revisions to be taken back never ran here, but was stamped over.

    Nobody's history made those tables. Where nothing would go, a stamped revision may be taken back like any other. Reads only.
    """
    ran = latest_runs(entries)
    stamps = [entry.revision for entry in entries if entry.direction == "stamp" and entry.outcome == "done"]
    adopted = [revision for revision in revisions if revision not in ran and _below(replay, revision, stamps)]
    if not adopted:
        return
    order = list(replay.schemas)
    gone: list[str] = []
    for revision in adopted:
        before, after = replay.schemas[order[order.index(revision) - 1]], replay.schemas[revision]
        gone += [_table(connection, name) for name in after if name not in before]
        gone += [
            f"column {name}.{column.name}"
            for name in after.keys() & before.keys()
            for column in after[name].columns
            if column.name not in {other.name for other in before[name].columns}
        ]
    if gone:
        raise HistoryError("downgrade-adopted", first=adopted[0], gone="".join(f"\n  - {text}" for text in gone))


def _below(replay: Replay, revision: str, stamps: Sequence[str]) -> bool:
    order = list(replay.schemas)
    return any(stamp in order and order.index(revision) <= order.index(stamp) for stamp in stamps)


def _table(connection: Connection, name: str) -> str:
    schema, _, table = name.rpartition(".")
    rows = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table, schema=schema or None)))
    return f"table {name} with {rows} row{'' if rows == 1 else 's'}"
