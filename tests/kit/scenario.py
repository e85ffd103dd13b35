"""A folder of `tests/scenarios/` as a project: its revisions, under this engine's env.py or under Alembic's stock one.

A scenario holds `versions/*.py` and may hold `before.sql`, what was in the database already. Both sides get the same engine, so a
connection that enforces foreign keys does so for both.
"""

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from tests.kit import SCENARIOS

_INI = "[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n\n[migrator]\nlock_wait = 2\n"
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
        own = ("alembic_version", "migration_log", "sqlite_")
        return {n: sql for n, sql in self.ask("SELECT name, sql FROM sqlite_master") if sql and not n.startswith(own)}


@contextmanager
def scenario(name: str, directory: Path, **options: Any) -> Iterator[Scenario]:
    """Make the project of a folder of `tests/scenarios/`; the options are those of `project`."""
    source = SCENARIOS / name
    revisions = [path.read_text() for path in sorted((source / "versions").glob("*.py"))]
    before = source / "before.sql"
    with project(directory, *revisions, before=before.read_text() if before.exists() else "", **options) as made:
        yield made


@contextmanager
def project(
    directory: Path,
    *revisions: str,
    before: str = "",
    stock: bool = False,
    foreign_keys: bool = True,
    engine: sa.Engine | None = None,
) -> Iterator[Scenario]:
    """Make a project in `directory` from the text of its revision files, on a database that `before` has been run on.

    The engine sets foreign keys as an application does, when it connects. With `stock` there is only Alembic.
    """
    versions = directory / "migrations" / "versions"
    versions.mkdir(parents=True)
    for number, text in enumerate(revisions, start=1):
        (versions / f"{number:03}.py").write_text(text)
    (directory / "alembic.ini").write_text(_INI)
    (directory / "migrations" / "env.py").write_text(_STOCK_ENV if stock else _ENV)
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


def revision(body: str, *, number: int = 1, own: str = "") -> str:
    """The text of a revision file whose `upgrade` is `body`; `own` are attributes of its own."""
    parent = f"{number - 1:03}" if number > 1 else None
    return (
        f'"""Revision {number:03}."""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\n'
        f'revision = "{number:03}"\ndown_revision = {parent!r}\n{own}\n\n'
        f"def upgrade():\n{indent(dedent(body).strip(), '    ')}\n\n\ndef downgrade():\n    pass\n"
    )
