"""`Migrator`: one object, one method a capability; what the command line and an application's start both use."""

import io
import threading
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import Connection, Engine

from migrator import evidence, history, plan
from migrator.audit import Log, latest_runs
from migrator.errors import HistoryError, MigratorError, NotAtHead
from migrator.results import Direction, Entry, Planned, Report, Revision, Status
from migrator.runner import REPORT, SETTINGS
from migrator.settings import Settings
from migrator.url import driver_url, mask

T = TypeVar("T")
_ONE_AT_A_TIME = threading.RLock()  # Alembic's `context` and `op` are modules with one environment in them


class Migrator:
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
        self.path = Path(config).absolute()
        self.settings = Settings.load(self.path, database_url=database_url, **settings)
        self._connection = connection

    def upgrade(self, revision: str = "head") -> Report:
        """Bring the database up to `revision`. Writes; takes the lock if anything is pending; one transaction a step."""
        return self._write(command.upgrade, revision)

    def downgrade(self, revision: str = "-1", *, run_stored: bool = False) -> Report:
        """Take the database down to `revision`. Writes; takes the lock; one transaction a step.

        A database ahead of the files raises HistoryError "database-ahead", whose `fields["texts"]` are the log's texts of the
        revisions that have no file; `run_stored` runs them.
        """
        return self._with(run_stored=run_stored or self.settings.run_stored)._write(command.downgrade, revision)

    def stamp(self, revision: str, *, purge: bool = False) -> Report:
        """Write `revision` into the version table and run nothing. Writes; takes the lock; one transaction."""
        return self._write(command.stamp, revision, purge=purge)

    def sql(self, direction: Direction, revision: str) -> str:
        """Return the SQL of an upgrade, downgrade or stamp, offline; `revision` may be a range `a:b`. Opens no database."""
        buffer = io.StringIO()
        self._call(getattr(command, direction), revision, sql=True, output_buffer=buffer)
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
            assert migration.script is not None
            walk = migration.script._upgrade_revs if direction == "upgrade" else migration.script._downgrade_revs
            with evidence.weighed(migration.script, heads, self._entries(migration)):
                made = plan.make(revision, lambda at, _: walk(revision, at), heads, migration)
            return tuple(step.planned for step in made)

        return self._read(steps)

    def history(self) -> tuple[Planned, ...]:
        """Return all revisions from base to head. Reads the files, opens no database."""
        return tuple(_planned(revision) for revision in self._scripts(self.alembic_config()))

    def require_head(self) -> None:
        """Raise NotAtHead unless the database is exactly at the head of the files. Reads only; never migrates."""
        status = self.status()
        if status.at != ((status.head,) if status.head else ()):
            raise NotAtHead("not-at-head", at=", ".join(status.at) or "base", wanted=status.head or "base")

    def alembic_config(self, **options: Any) -> Config:
        """Return a `Config` of Alembic's for this project and database, for what this class does not wrap."""
        config = Config(self.path, **options)
        config.attributes |= {SETTINGS: self.settings, "connection": self._connection}
        return config

    @property
    def url(self) -> str:
        """The database's URL for people: without a password."""
        if self._connection is not None:
            return mask(self._connection.engine.url)
        return mask(driver_url(self.settings.database_url, root=self.settings.root, source=self.settings.source))

    def _with(self, **changes: Any) -> "Migrator":
        other = copy(self)
        other.settings = replace(self.settings, **changes)
        return other

    def _status(self, heads: tuple[str, ...], migration: MigrationContext) -> Status:
        assert migration.script is not None
        entries = self._entries(migration)
        with evidence.weighed(migration.script, heads, entries):
            pass  # a database ahead of the files has no place among them
        scripts = self._scripts(self.alembic_config())
        applied = {script.revision for script in migration.script.iterate_revisions(heads, "base", inclusive=True)}
        ran = latest_runs(entries)
        revisions = tuple(
            _revision(done, ran.get(done.revision))
            if done.revision in applied
            else _revision(done, None, applied=False)
            for done in map(_planned, scripts)
        )
        return Status(self.url, heads, revisions[-1].revision if revisions else None, revisions)

    def _entries(self, migration: MigrationContext, limit: int | None = None) -> tuple[Entry, ...]:
        log = Log(migration.version_table_schema, self.settings.root, self.settings.audit)
        assert migration.connection is not None
        return log.read(migration.connection, limit=limit)

    def _scripts(self, config: Config) -> tuple[Script, ...]:
        script = _script(config)
        plan.load(script)
        return tuple(script.walk_revisions())[::-1]

    def _write(self, function: Callable[..., None], revision: str, **options: Any) -> Report:
        if ":" in revision:
            end = revision.partition(":")[2]
            raise HistoryError("range-without-sql", asked=revision, end=end, command=function.__name__)
        config = self._call(function, revision, **options)
        if REPORT not in config.attributes:
            raise HistoryError("not-our-environment", path=self.path.parent)
        report: Report = config.attributes[REPORT]
        return report

    def _read(self, function: Callable[[tuple[str, ...], MigrationContext], T]) -> T:
        answers: list[T] = []

        def read(config: Config) -> None:
            script = _script(config)

            def answer(heads: tuple[str, ...], migration: MigrationContext) -> list[Any]:
                answers.append(function(heads, migration))
                return []

            with EnvironmentContext(config, script, fn=answer, as_sql=False, dont_mutate=True):
                script.run_env()

        self._call(read)
        return answers[-1]

    def _call(
        self, function: Callable[..., None], *arguments: Any, output_buffer: Any = None, **options: Any
    ) -> Config:
        with _ONE_AT_A_TIME:
            config = self.alembic_config(output_buffer=output_buffer)
            try:
                function(config, *arguments, **options)
            except MigratorError:
                raise
            except CommandError as error:
                raise HistoryError("alembic", text=error, command=function.__name__) from error
            return config


def _script(config: Config) -> ScriptDirectory:
    return ScriptDirectory.from_config(config)


def _planned(script: Script) -> Planned:
    return Planned(script.revision, "upgrade", " ".join(script.doc.split()), Path(script.path))


def _revision(file: Planned, ran: Entry | None, *, applied: bool = True) -> Revision:
    if ran is None:
        return Revision(file.revision, file.description, file.path, applied)
    now = history.checksum(file.path.read_text(encoding="utf-8"))
    return Revision(
        file.revision,
        file.description,
        file.path,
        applied,
        applied_at=ran.finished_at,
        seconds=ran.duration_ms / 1000,
        edited=ran.checksum != now,
    )
