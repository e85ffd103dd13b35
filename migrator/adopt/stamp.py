"""What a stamp says of the database: made true by a bridge where there is one, and compared in the stamp's own transaction."""

from collections.abc import Collection
from pathlib import Path

from alembic.operations import Operations as Running
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from migrator.adopt import bridge
from migrator.adopt.match import History, found, judge
from migrator.adopt.operations import Operations
from migrator.errors import error
from migrator.results.adoption import Match
from migrator.schema.replay import Replay


class StampCheck:
    """Compares the connected database with the revision that a stamp claims."""

    def __init__(self, connection: Connection, replay: Replay, *, asked: str, accept_harmless: bool) -> None:
        self._connection = connection
        self._replay = replay
        self._asked = asked
        self._accept_harmless = accept_harmless

    def prepare(self) -> None:
        """Replay the history, which takes a while and needs no lock on the database. Reads it only."""
        if not self._replay.branches:
            _ = self._replay.known

    def run_bridge(self, path: Path, migration: MigrationContext) -> None:
        """Run a bridge's operations on the connection's open transaction."""
        with Running.context(migration):
            bridge.load(path).upgrade()

    def verify(self, heads: Collection[str]) -> Match:
        """Raise StampRefused unless the schema is the one at `heads`; return what was found to be extra with the match.

        Reads, and keeps others from changing it until the commit.
        """
        if self._replay.branches or len(heads) > 1:
            raise error("stamp-unverifiable", heads=tuple(heads), asked=self._asked)
        self._replay.dialect.lock_definitions(self._connection, self._replay.known_tables)
        return verify(self._connection, self._replay, next(iter(heads), "base"), accept_harmless=self._accept_harmless)


def verify(connection: Connection, replay: Replay, revision: str, *, accept_harmless: bool = False) -> Match:
    """Raise StampRefused unless the connected database has the schema that the history gives at `revision`. Reads only."""
    there = found(connection, replay)
    match = History(replay.schemas).match(there, revision)
    if match.exact or (accept_harmless and match.harmless):
        return match
    verdict = judge(there, replay.schemas)
    best = verdict.best
    words = (
        f"it matches {best.revision}" if best.exact else f"the nearest is {best.revision}, {len(best.differences)} away"
    )
    raise error(
        "stamp-refused",
        revision=revision,
        differences=match.differences,
        found=words if verdict.tables else "it has none of the history's tables",
        best=best.revision,
        commands=str(Operations(connection, replay, match)) or "  (no Alembic operation does it)",
    )
