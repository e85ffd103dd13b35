"""What one run knows: the request, the connection, the files, the log, and where the database is."""

from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from migrator.dialects.dialect import Dialect
from migrator.dialects.session import Session
from migrator.history import consistency, files, heads, stored_texts
from migrator.history.log import Log
from migrator.runner import plan
from migrator.runner.plan import Step, StepFunction
from migrator.runner.request import Request
from migrator.settings import Settings

if TYPE_CHECKING:
    from migrator.schema.replay import Replay


class Run:
    """One run that writes. `heads` are what the version table said when it was last read."""

    def __init__(self, connection: Connection, settings: Settings, request: Request, dialect: Dialect) -> None:
        """Hold what the run works with; reads nothing."""
        self.connection = connection
        self.settings = settings
        self.request = request
        self.dialect: Dialect = dialect
        self.session: Session = dialect.session(connection, settings)
        self.heads: tuple[str, ...] = ()
        self.restored: tuple[str, ...] = ()
        """The revisions whose files are gone and whose texts came from the log, the newest first."""
        self._stored: TemporaryDirectory[str] | None = None

    def load(self, migration: MigrationContext) -> None:
        """Load the files, read heads and log, and make known what only the log has. Raises HistoryError; writes nothing."""
        assert migration.script is not None
        self.migration = migration
        self.script: ScriptDirectory = migration.script
        self.texts = files.load(self.script)
        self.log = Log.of(migration, self.settings)
        self.read_heads()
        known = () if self.request.purge else self.heads
        consistency.check_overlap(self.script, known)
        gone = stored_texts.missing(self.script, known, self.log, self.connection)
        self.connection.rollback()
        if not gone:
            return
        if not (self.request.run_stored and self.request.direction == "downgrade"):
            raise stored_texts.ahead(gone)
        self._stored = TemporaryDirectory()  # only here: a read-only container has no place for one
        self.texts |= stored_texts.load(self.script, gone, Path(self._stored.name))
        self.restored = tuple(entry.revision for entry in gone)

    def close(self) -> None:
        """Remove the files that the run made for the log's texts, which may be read until it ends."""
        if self._stored is not None:
            self._stored.cleanup()

    def read_heads(self) -> tuple[str, ...]:
        """Read the version table, in a transaction of its own. Raises DatabaseError if it cannot be used, unless it is to be purged."""
        self.heads = heads.read(self.migration, purge=self.request.purge)
        self.connection.rollback()
        return self.heads

    def plan(self, function: StepFunction) -> tuple[Step, ...]:
        """Return the steps from `heads` to what was asked for, each checked; `function` is Alembic's. Raises HistoryError."""
        return plan.make(self.request.target, function, self.heads, self.migration, self.texts)

    @cached_property
    def replay(self) -> "Replay":
        """The history in a scratch database; nothing happens until its schemas are asked for."""
        from migrator.schema.replay import Replay  # most runs never need it

        return Replay(self.script, self.connection, self.dialect, self.settings, self.migration, self.request.replay)

    def heads_on(self, other: Connection) -> tuple[str, ...]:
        """Read the version table on another connection, and end that transaction."""
        name, schema = self.migration.version_table, self.migration.version_table_schema
        version = sa.column("version_num", sa.String())
        there = sa.inspect(other).has_table(name, schema)
        asked = sa.select(version).select_from(sa.table(name, version, schema=schema))
        found = tuple(other.execute(asked).scalars()) if there else ()
        other.rollback()
        return found
