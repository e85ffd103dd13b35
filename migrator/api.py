"""`Migrator`: one object, one method a capability; what the command line and an application's start both use."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from migrator import alembic_private, dialects
from migrator.errors import error
from migrator.errors.progress import Progress
from migrator.errors.tree import StampRefused
from migrator.history import consistency, files
from migrator.history.log import Log
from migrator.history.status import all_revisions, status
from migrator.project import Project, ends_of
from migrator.results import Direction, Entry, Planned, Report, Status
from migrator.runner import plan
from migrator.runner.request import Request
from migrator.settings import Settings

if TYPE_CHECKING:
    from migrator.results.adoption import Adoption, Baseline
    from migrator.schema.replay import Replay


class Migrator(Project):
    """The migrations of one project, on one database.

    Methods may be called from any thread; inside a process they take turns. They set up no logging and print nothing.
    Each raises a MigratorError. In a running asyncio program call them through `asyncio.to_thread`.
    """

    def __init__(
        self,
        config: str | Path = "alembic.ini",
        *,
        database_url: str | None = None,
        connection: Connection | Engine | None = None,
        **settings: Any,
    ) -> None:
        """Read alembic.ini and the settings; opens no database. `settings` are the fields of `Settings`, and win.

        `connection` is used instead of the URL: an engine, or a connection that is not in a transaction. Raises SettingsError.
        """
        loaded = Settings.load(Path(config).absolute(), database_url=database_url, **settings)
        super().__init__(config, connection, loaded)

    def upgrade(self, revision: str = "head", *, rerun_interrupted: bool = False) -> Report:
        """Bring the database up to `revision`. Writes; takes the lock if anything is pending; one transaction a step.

        A step that was killed inside an `autocommit_block()` after it had changed rows raises StepFailed "step-interrupted", which lists
        what is there; `rerun_interrupted` runs it again from its start.
        """
        request = Request(direction="upgrade", target=revision, rerun_interrupted=rerun_interrupted)
        return self._write(command.upgrade, request)

    def downgrade(
        self,
        revision: str = "-1",
        *,
        run_stored: bool = False,
        drop_adopted: bool = False,
        rerun_interrupted: bool = False,
    ) -> Report:
        """Revert the database to `revision`. Writes; takes the lock; one transaction a step.

        A database ahead of the files raises HistoryError "database-ahead", whose `fields["texts"]` are the log's texts of the
        revisions that have no file; `run_stored` runs them. Below the revision at which the database was adopted it raises
        "downgrade-adopted", unless `drop_adopted`. `rerun_interrupted` is as for `upgrade`.
        """
        request = Request(
            direction="downgrade",
            target=revision,
            run_stored=run_stored,
            drop_adopted=drop_adopted,
            rerun_interrupted=rerun_interrupted,
        )
        return self._write(command.downgrade, request)

    def stamp(self, revision: str, *, purge: bool = False, verify: bool = True) -> Report:
        """Write `revision` into the version table and run nothing. Writes; takes the lock; one transaction.

        Raises StampRefused unless the database has that revision's schema, or `verify` is false.
        """
        request = Request(direction="stamp", target=revision, verify=None if verify else False)
        return self._write(command.stamp, request, purge=purge)

    def adopt(
        self,
        *,
        upgrade: bool = False,
        accept_harmless: bool = False,
        fix: bool = False,
        bridge: Path | None = None,
        dry_run: bool = False,
    ) -> "Adoption":
        """Find the revision whose schema the database has, and stamp it; `upgrade` then goes on to head.

        Reads, and replays the history in a scratch database; writes only when the answer is clear and not `dry_run`, in one
        transaction that compares once more. `fix` writes a file of the operations that lead to the nearest revision, and runs nothing;
        `bridge` runs such a file in the stamp's transaction. Raises StampRefused when there is no match.
        """
        from migrator.adopt import bridge as bridges, match

        found, replay = self._read(self._adoption)
        if found.is_there and not upgrade:
            return found
        target = found.verdict.best.revision if bridge is None else bridges.target_of(bridge)
        try:
            match.check(found, accept_harmless=accept_harmless)
        except StampRefused:
            if fix:
                return self._read(partial(self._bridged, found, replay))
            if bridge is None:
                raise
        if dry_run:
            return found
        if not found.is_there:
            # A bridge adds a column at the end, which is another order than the history's: harmless, and not to be helped.
            harmless = accept_harmless or bridge is not None
            asked = Request(
                direction="stamp",
                target=target,
                verify=True,
                accept_harmless=harmless,
                bridge=bridge,
                import_log=True,
                replay=replay,
            )
            found = replace(found, report=self._write(command.stamp, asked, purge=bool(found.at)))
        if not upgrade:
            return found
        with _following(found.report):
            return replace(found, report=self.upgrade())

    def baseline(self, models: Path) -> "Baseline":
        """Begin a history from a database that has none: write its models and one revision that makes its schema, and stamp it.

        Reads the database and proves the revision in a scratch database before the stamp; the files are removed where it fails.
        Raises HistoryError where there are revisions already, and SettingsError without sqlacodegen.
        """
        from migrator.adopt import baseline

        with baseline.whole_or_nothing(models) as written:
            made = self._read(partial(baseline.make, self.alembic_config(), self.settings, models, written))
            return replace(made, report=self.stamp(baseline.REVISION))

    def sql(self, direction: Direction, revision: str, **options: Any) -> str:
        """Return the SQL of an upgrade, downgrade or stamp, offline; `revision` may be a range `a:b`. Opens no database."""
        if len(ends_of(revision)) == 1 and direction == "downgrade":
            raise error("range-needed")
        buffer = io.StringIO()
        self.call(getattr(command, direction), revision, sql=True, output_buffer=buffer, **options)
        return buffer.getvalue()

    def current(self) -> tuple[str, ...]:
        """Return the heads in the version table, empty for base. Reads only."""
        return self._read(lambda heads, migration: heads)

    def status(self) -> Status:
        """Return every revision, applied or pending, and where the database is. Reads only."""
        return self._read(self._status)

    def log(self, limit: int | None = None) -> tuple[Entry, ...]:
        """Return the entries of `migration_log`, newest first; none where there is no log. Reads only."""
        return self._read(lambda heads, migration: self._entries(migration, limit))

    def plan(self, revision: str = "head", direction: Direction = "upgrade") -> tuple[Planned, ...]:
        """Return the steps that `upgrade` or `downgrade` would take now. Reads only."""

        def steps(heads: tuple[str, ...], migration: MigrationContext) -> tuple[Planned, ...]:
            script = migration.script
            assert script is not None
            texts = files.load(script)
            assert migration.connection is not None
            log = Log.of(migration, self.settings)
            consistency.check_against_log(script, heads, log, migration.connection, texts)
            walk = partial(alembic_private.walk, script, direction, revision)
            made = plan.make(revision, lambda at, _: walk(at), heads, migration, texts)
            return tuple(step.planned for step in made)

        return self._read(steps)

    def history(self) -> tuple[Planned, ...]:
        """Return all revisions from base to head. Reads the files, opens no database."""
        found: list[Planned] = []

        def read(config: Any) -> None:
            script = ScriptDirectory.from_config(config)
            files.load(script)
            found.extend(all_revisions(script))

        self.call(read)
        return tuple(found)

    def require_head(self) -> None:
        """Raise unless every revision of the files is applied, and no other. Reads only; never migrates.

        NotAtHead when it is behind, HistoryError when it is ahead of the files or at a revision that neither files nor log know.
        """
        found = self.status()
        if found.pending:
            target = "head" if len(found.heads) == 1 else "heads"
            raise error("not-at-head", at=found.at, wanted=found.heads, target=target)

    def _replay(self, migration: MigrationContext, earlier: "Replay | None" = None) -> "Replay":
        from migrator.schema.replay import Replay

        assert migration.connection is not None
        assert migration.script is not None
        files.load(migration.script)
        dialect = dialects.of(migration.connection)
        migration.connection.rollback()  # a replay may take minutes
        return Replay(migration.script, migration.connection, dialect, self.settings, migration, earlier)

    def _adoption(self, heads: tuple[str, ...], migration: MigrationContext) -> "tuple[Adoption, Replay]":
        from migrator.adopt import match, other_runners
        from migrator.results.adoption import Adoption

        self._refuse_ahead(heads, migration)
        replay = self._replay(migration)
        verdict = match.look(replay.connection, replay)
        connection = replay.connection
        runners = other_runners.present(connection)
        return Adoption(heads, verdict, other_runners.imported(connection), runners=runners), replay

    def _refuse_ahead(self, heads: tuple[str, ...], migration: MigrationContext) -> None:
        """Raise HistoryError for a database at a revision that the log knows and the files do not: it would be stamped backwards."""
        from migrator.history import stored_texts

        assert migration.script is not None
        assert migration.connection is not None
        log = Log.of(migration, self.settings)
        known = [head for head in heads if log.last_run(migration.connection, head) is not None]
        if gone := stored_texts.missing(migration.script, known, log, migration.connection):
            raise stored_texts.ahead(gone)

    def _bridged(
        self, found: "Adoption", earlier: "Replay", heads: tuple[str, ...], migration: MigrationContext
    ) -> "Adoption":
        from migrator.adopt import bridge

        replay = self._replay(migration, earlier)
        return bridge.write_for(replay.connection, replay, found)

    def _status(self, heads: tuple[str, ...], migration: MigrationContext) -> Status:
        assert migration.script is not None
        assert migration.connection is not None
        log = Log.of(migration, self.settings)
        return status(migration.script, heads, log, migration.connection, url=self.url)

    def _entries(self, migration: MigrationContext, limit: int | None) -> tuple[Entry, ...]:
        assert migration.connection is not None
        return Log.of(migration, self.settings).read(migration.connection, limit=limit)


@contextmanager
def _following(report: Report | None) -> Iterator[None]:
    """Let an error say what an earlier run of the same command had committed."""
    try:
        yield
    except BaseException as raised:
        if report is not None:
            (getattr(raised, "progress", None) or Progress()).after(report).attach(raised)
        raise
