"""The history run into a scratch database, and the schema after each revision.

Nothing is kept from one command to the next: what a revision makes may depend on models, on files, on the day.
"""

from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from migrator import alembic_private
from migrator.dialects.dialect import Dialect
from migrator.dialects.scratch import Outside, Scratch
from migrator.dialects.session import Session
from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.history import file_text, files
from migrator.history.attributes import StepOptions
from migrator.masking import scrub
from migrator.schema.snapshot import Snapshot, reflecting, snapshot, tables_in
from migrator.settings import Settings

# What a context is told about the command at hand. All else that env.py says holds for the replay too.
_OF_THE_COMMAND = {
    "fn",
    "starting_rev",
    "destination_rev",
    "purge",
    "dont_mutate",
    "on_version_apply",
    "revision_context",
}
_LONGEST = 300  # characters of a cause


class Replayed(NamedTuple):
    """The scratch database right after a revision; `run` calls a function there as a step, which may change nothing else.

    `broken` are the foreign keys that the step broke, before its commit; of a database without rows those that no row could satisfy.
    """

    revision: str
    connection: Connection
    run: Callable[[Callable[[], None]], None]
    broken: Callable[[], tuple[object, ...]]


@dataclass
class Replay:
    """The schemas that a history makes, on databases of the kind that `connection` is connected to.

    Of the connected database only its kind and its settings are read. A scratch database is created and dropped; DatabaseError where
    the role may not. Every revision runs under the options that env.py gave, which `migration` has. Raises HistoryError
    "replay-failed" or "replay-lacks-table" for a history that does not run in an empty database.
    """

    script: ScriptDirectory
    connection: Connection
    dialect: Dialect
    settings: Settings
    migration: MigrationContext
    earlier: "Replay | None" = None
    """A replay of the same command, which is believed as long as the files are what they were."""

    @cached_property
    def schemas(self) -> dict[str, Snapshot]:
        """The schema after each revision, from base to head; `"base"` is the first."""
        if self.earlier is not None and self.earlier.texts == self.texts:
            return self.earlier.schemas
        found: dict[str, Snapshot] = {"base": {}}
        memo: dict[Any, Any] = {}
        for at in self._steps():
            found[at.revision] = snapshot(at.connection, self.dialect, ignore=self.tools_tables, memo=memo)
        return found

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The text of env.py and of each revision. Reads the files."""
        paths = (Path(self.script.env_py_location), *(Path(revision.path) for revision in self._line))
        return tuple(file_text.source(path) if path.suffix == ".py" else str(path) for path in paths)

    @property
    def tools_tables(self) -> frozenset[str]:
        """The tables that belong to the tool and not to the schema, with their schema in front and without."""
        names, schema = (self.migration.version_table, self.settings.log_table), self.migration.version_table_schema
        return frozenset((*names, *(f"{schema}.{name}" for name in names if schema)))

    @cached_property
    def known(self) -> frozenset[str]:
        """The names of what the history makes at any revision: tables, views, functions and so on."""
        return frozenset(name for schema in self.schemas.values() for name in schema)

    @cached_property
    def known_tables(self) -> frozenset[str]:
        """The tables that the history makes at any revision."""
        return frozenset(name for schema in self.schemas.values() for name in tables_in(schema))

    @property
    def branches(self) -> bool:
        """Whether the history is more than one line, so that "the schema at a revision" needs more than an order."""
        return (
            any(len(alembic_private.parents(revision)) > 1 for revision in self._line)
            or len(self.script.get_heads()) > 1
        )

    def metadata_at(self, revision: str, tables: Collection[str]) -> sa.MetaData:
        """Return some tables at a revision as SQLAlchemy reflects them, for Alembic's autogenerate; with those that they refer to."""
        metadata = sa.MetaData()
        if revision == "base":
            return metadata
        with self.at(revision) as made:
            with reflecting():
                metadata.reflect(made.connection, only=lambda name, _: name in tables)
            metadata.info["unseen"] = self.dialect.unseen_indexes(made.connection)
        return metadata

    @contextmanager
    def at(self, revision: str) -> Iterator[Replayed]:
        """Hold the scratch database as it is at a revision, to be read or changed; it is gone afterwards."""
        with closing(self._steps()) as steps:
            yield next(made for made in steps if made.revision == revision)

    @cached_property
    def _line(self) -> tuple[Script, ...]:
        return tuple(self.script.walk_revisions())[::-1]

    def _steps(self) -> Generator[Replayed]:
        schemas = [name for name in (self.migration.version_table_schema,) if name]
        with self.dialect.scratch(self.connection, schemas) as scratch:
            kept = dict(self.connection.get_execution_options())  # a schema_translate_map, for one
            kept.pop("isolation_level", None)
            connection = scratch.connection.execution_options(**kept)
            session = self.dialect.session(connection, self.settings)
            dealt: list[MigrationStep] = []

            def run(function: Callable[[], None]) -> None:
                session.start_attempt(StepOptions().limits(self.settings), 1)
                function()
                scratch.refuse_outside()

            def deal(*_: Any) -> list[MigrationStep]:
                session.enter_revision()
                return dealt

            migration = self._context(connection, scratch, deal)
            with (
                session.writing(migration),
                alembic_private.context_replaced(migration),
                Operations.context(migration),
            ):
                for revision in self._line:
                    with self._named(revision):
                        step = files.whole(MigrationStep.upgrade_from_script(self.script.revision_map, revision))
                        dealt[:] = [files.followed(step, session.leave_revision)]
                        self._run(revision, migration, session, scratch)
                    yield Replayed(revision.revision, connection, run, session.broken_foreign_keys)
                    connection.rollback()

    def _context(self, connection: Connection, scratch: Scratch, deal: Callable[..., Any]) -> MigrationContext:
        given = {name: value for name, value in self.migration.opts.items() if name not in _OF_THE_COMMAND}
        own = {
            "fn": deal,
            "version_table": self.migration.version_table,
            "version_table_schema": self.migration.version_table_schema if scratch.whole else None,
            "transactional_ddl": True,
            "transaction_per_migration": True,
            "on_version_apply": (lambda **_: scratch.refuse_outside(),),
        }
        return MigrationContext.configure(
            connection=connection, environment_context=alembic_private.environment(), opts={**given, **own}
        )

    def _run(self, revision: Script, migration: MigrationContext, session: Session, scratch: Scratch) -> None:
        """Run one revision; once more for each thing that the connected database has from elsewhere, and the scratch one lacked."""
        step = StepOptions.of(revision.module, revision=revision.revision, path=Path(revision.path).name)
        while True:
            session.start_attempt(step.limits(self.settings), 1)
            try:
                migration.run_migrations()
            except DBAPIError as raised:
                session.connection.rollback()
                if raised.connection_invalidated or not scratch.complete(raised, "\n".join(self.texts)):
                    raise
            else:
                return

    @contextmanager
    def _named(self, revision: Script) -> Iterator[None]:
        """Say of whatever fails in the block which revision it was, and what a history that begins with `create_all()` lacks."""
        where = {"revision": revision.revision, "path": Path(revision.path).name}
        try:
            yield
        except Outside as raised:
            role = self.connection.engine.url.username or "the role"
            raise error("scratch-left", outside=raised.names, role=role, **where) from raised
        except MigratorError as raised:
            raise error("replay-failed", reason=raised.fact, **where) from raised
        except (Exception, SystemExit) as raised:
            if isinstance(raised, DBAPIError) and raised.connection_invalidated:
                raise
            missing = str(raised) if isinstance(raised, NoSuchTableError) else None
            if isinstance(raised, DBAPIError):
                missing = self.dialect.missing_table(raised)
            if missing is not None:
                raise error("replay-lacks-table", table=missing, **where) from raised
            raise error("replay-failed", reason=self.reason(raised), **where) from raised

    def reason(self, raised: BaseException) -> str:
        """Return why something failed in the scratch database, in one line and without passwords."""
        text = f"{type(raised).__name__}: {raised}"
        if isinstance(raised, DBAPIError):
            text = f"{raised.orig} in {raised.statement}" if raised.statement else str(raised.orig)
        return scrub(" ".join(text.split()), self.connection.engine.url)[:_LONGEST]
