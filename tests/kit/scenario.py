"""Scenarios: projects on a SQLite database that held something before, under this engine's env.py or under Alembic's stock one.

A folder of `tests/scenarios/` holds `versions/*.py` and databases for them to begin with: NAME.sql for both databases, NAME.sqlite.sql
or NAME.postgresql.sql for one. A scenario is called after the folder and the file, or after the folder alone where the file is `before`.
"""

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from tests.kit import BOOKKEEPING, SCENARIOS
from tests.kit.projects import copy_folder, make_project

# What the templates of `alembic init` call, with the connection handed over as Alembic's cookbook does it.
_STOCK_ENV = """
from alembic import context

with context.config.attributes["connection"].connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
"""
_ENV = """
from alembic import context
import migrator

with context.config.attributes["connection"].connect() as connection:
    migrator.run(connection, target_metadata=None)
"""


@dataclass(frozen=True)
class Case:
    """A scenario on one database: its revisions, and what to execute first."""

    name: str
    dialect: str
    versions: Path
    before: str


@dataclass(frozen=True)
class Scenario:
    """A project in a folder of its own, and the SQLite database that it works on."""

    directory: Path
    engine: sa.Engine

    @property
    def file(self) -> Path:
        return Path(str(self.engine.url.database))

    @property
    def ini(self) -> str:
        return str(self.directory / "alembic.ini")

    def upgrade(self, revision: str = "head") -> None:
        """Run the command in this process; whatever Alembic or the engine raises comes through."""
        self._run(command.upgrade, revision)

    def downgrade(self, revision: str = "-1") -> None:
        self._run(command.downgrade, revision)

    def _run(self, function: Any, revision: str) -> None:
        config = Config(self.ini, stdout=io.StringIO())
        config.attributes["connection"] = self.engine
        with redirect_stdout(io.StringIO()):
            function(config, revision)

    def ask(self, question: str) -> list[Any]:
        """Read from the database, on a connection of the test's own; a row of one value is that value."""
        with closing(sqlite3.connect(self.file)) as connection:
            rows = connection.execute(question).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    def schema(self) -> dict[str, str]:
        """Everything in the schema by name, without what Alembic and the engine keep for themselves."""
        own = (*BOOKKEEPING, "ix_migration_log", "sqlite_")
        return {n: sql for n, sql in self.ask("SELECT name, sql FROM sqlite_master") if sql and not n.startswith(own)}


def cases() -> Iterator[Case]:
    """Every scenario, once for each database that it is for."""
    for path in sorted(SCENARIOS.glob("*/*.sql")):
        name, _, dialect = path.stem.partition(".")
        for each in [dialect] if dialect else ["sqlite", "postgresql"]:
            full = path.parent.name if name == "before" else f"{path.parent.name}_{name}"
            yield Case(full, each, path.parent / "versions", path.read_text(encoding="utf-8"))


@contextmanager
def scenario(name: str, directory: Path, **options: Any) -> Iterator[Scenario]:
    """Make the project of a scenario that SQLite has; the options are those of `project`."""
    [case] = [case for case in cases() if (case.name, case.dialect) == (name, "sqlite")]
    with project(directory, before=case.before, versions=case.versions, **options) as made:
        yield made


@contextmanager
def project(
    directory: Path,
    *bodies: str,
    before: str = "",
    versions: Path | None = None,
    stock: bool = False,
    foreign_keys: bool = True,
    engine: sa.Engine | None = None,
) -> Iterator[Scenario]:
    """Make a project in `directory`, of these bodies or of the files in `versions`, on a database that `before` has been run on.

    Both sides get the same engine, which sets foreign keys as an application does, when it connects. With `stock` there is only Alembic.
    """
    make_project(directory, bodies, env=_STOCK_ENV if stock else _ENV, ini="\n[migrator]\nlock_wait = 2\n")
    if versions is not None:
        copy_folder(versions, directory / "migrations" / "versions")
    engine = engine or sa.create_engine(f"sqlite:///{directory / 'test.db'}", poolclass=sa.pool.NullPool)

    def connected(connection: Any, record: Any) -> None:
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")

    sa.event.listen(engine, "connect", connected)
    made = Scenario(directory, engine)
    with closing(sqlite3.connect(made.file)) as connection:
        connection.executescript(before)
        connection.commit()
    try:
        yield made
    finally:
        engine.dispose()
