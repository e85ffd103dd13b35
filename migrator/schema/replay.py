"""The history run into a scratch database, and the schema after each revision."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from sqlalchemy.engine import Connection

from migrator import alembic_private
from migrator.dialects.dialect import Dialect
from migrator.errors.tree import MigratorError
from migrator.history import file_text
from migrator.history.attributes import StepOptions
from migrator.history.log import LOG_TABLE
from migrator.schema.snapshot import Column, Rule, Snapshot, Table, reflecting, snapshot
from migrator.settings import Settings

_FORMAT = "3"  # of the cache; files with another number are not read
_log = logging.getLogger("migrator")


class _Replayed(NamedTuple):
    """The scratch database right after a revision."""

    revision: str
    scratch: Connection


@dataclass
class Replay:
    """The schemas that a history makes, on databases of the kind that `connection` is connected to.

    Of the connected database only the kind and version are read. A scratch database is created and dropped; DatabaseError where the
    role may not.
    """

    script: ScriptDirectory
    connection: Connection
    dialect: Dialect
    settings: Settings
    version_table: str

    @cached_property
    def schemas(self) -> dict[str, Snapshot]:
        """The schema after each revision, from base to head; `"base"` is the first, and empty. Kept until a file changes."""
        if self._cache.is_file():
            return _read(self._cache)
        found: dict[str, Snapshot] = {"base": {}}
        for at in self._steps():
            found[at.revision] = snapshot(at.scratch, self.dialect, ignore=self.tools_tables)
        _write(self._cache, found)
        return found

    @property
    def tools_tables(self) -> frozenset[str]:
        """The tables that belong to the tool and not to the schema."""
        return frozenset({self.version_table, LOG_TABLE})

    @cached_property
    def known(self) -> frozenset[str]:
        """The tables that the history makes at any revision."""
        return frozenset(name for tables in self.schemas.values() for name in tables)

    @property
    def branches(self) -> bool:
        """Whether the history is more than one line, so that "the schema at a revision" needs more than an order."""
        return (
            any(len(alembic_private.parents(revision)) > 1 for revision in self._line)
            or len(self.script.get_heads()) > 1
        )

    def metadata_at(self, revision: str) -> sa.MetaData:
        """Return the schema at a revision as SQLAlchemy reflects it, for Alembic's autogenerate."""
        metadata = sa.MetaData()
        for at in self._steps():
            if at.revision == revision:
                with reflecting():
                    metadata.reflect(at.scratch, only=lambda name, _: name not in self.tools_tables)
                metadata.info["unseen"] = self.dialect.unseen_indexes(at.scratch)
                break
        return metadata

    @cached_property
    def _line(self) -> tuple[Script, ...]:
        return tuple(self.script.walk_revisions())[::-1]

    @cached_property
    def _cache(self) -> Path:
        """Next to the compiled files, which git ignores as well."""
        dialect = self.connection.dialect
        version = ".".join(map(str, dialect.server_version_info or ()))
        texts = (file_text.checksum(file_text.source(Path(revision.path))) for revision in self._line)
        key = hashlib.sha256(
            "\n".join((_FORMAT, dialect.name, version, self.version_table, *texts)).encode()
        ).hexdigest()
        return Path(self.script.dir, "__pycache__", f"migrator-{dialect.name}-{key[:16]}.json")

    def _steps(self) -> Iterator[_Replayed]:
        dealt: list[Any] = []
        options = {"fn": lambda heads, migration: dealt, "transactional_ddl": True, "transaction_per_migration": True}
        with self.dialect.scratch(self.connection) as scratch:
            session = self.dialect.session(scratch, self.settings)
            migration = MigrationContext.configure(
                connection=scratch, opts={**options, "version_table": self.version_table}
            )
            with session.writing(migration), Operations.context(migration):
                for revision in self._line:
                    path = Path(revision.path).name
                    step = StepOptions.of(revision.module, revision=revision.revision, path=path)
                    session.start_attempt(step.limits(self.settings), 1)
                    dealt[:] = [MigrationStep.upgrade_from_script(self.script.revision_map, revision)]
                    try:
                        migration.run_migrations()
                    except MigratorError as failure:
                        failure.add(revision=revision.revision, path=path, direction="upgrade")
                        raise
                    yield _Replayed(revision.revision, scratch)
                    scratch.rollback()


def _write(cache: Path, found: dict[str, Snapshot]) -> None:
    document = {
        revision: [{**asdict(table), "rules": [asdict(rule) for rule in table.rules]} for table in tables.values()]
        for revision, tables in found.items()
    }
    try:
        cache.parent.mkdir(exist_ok=True)
        for older in cache.parent.glob(f"{cache.name.rpartition('-')[0]}-*.json"):
            older.unlink(missing_ok=True)
        made = cache.with_suffix(f".{os.getpid()}")
        made.write_text(json.dumps(document))
        made.replace(cache)
    except OSError as error:  # a read-only checkout replays each time
        _log.info("The replayed schemas could not be kept for the next time: %s", error)


def _read(cache: Path) -> dict[str, Snapshot]:
    document = json.loads(cache.read_text())
    return {revision: {table["name"]: _table(table) for table in tables} for revision, tables in document.items()}


def _table(told: dict[str, Any]) -> Table:
    columns = tuple(Column(**column) for column in told["columns"])
    return Table(told["name"], columns, frozenset(Rule(**rule) for rule in told["rules"]))
