"""The log is read in parts: with thousands of entries no command fetches more than with ten, and none looks through the table."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
import sqlalchemy as sa

from migrator import Migrator
from migrator.cli.fast_path import FastPath
from tests.kit.database import ask, execute
from tests.kit.projects import ANIMALS, PLANTS, STONES, miniature, revision_path

ENTRIES = 3000
TEXT = 2000  # characters of each stored text
EACH = 100  # of SQLite's instructions are counted at a time
MOST_INSTRUCTIONS = 2 * ENTRIES  # less than it takes to look at each entry
MOST = 100_000  # characters that a command may fetch; the log has sixty times as many
# Again and again up and down, by this history and by another one.
FILL = f"""
    INSERT INTO migration_log (version_table, revision, description, direction, outcome, started_at, finished_at, duration_ms,
        checksum, source)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ENTRIES})
    SELECT CASE i - i / 3 * 3 WHEN 0 THEN 'other_version' ELSE 'alembic_version' END, CASE i - i / 2 * 2 WHEN 0 THEN '001' ELSE '002' END,
        '',
        CASE i - i / 5 * 5 WHEN 0 THEN 'downgrade' WHEN 1 THEN 'stamp' ELSE 'upgrade' END, 'done', a.started_at, a.finished_at, 0,
        a.checksum, {{text}}
    FROM n CROSS JOIN (SELECT * FROM migration_log WHERE revision = '001') AS a
"""
AGAIN = """
    INSERT INTO migration_log (version_table, revision, description, direction, outcome, started_at, finished_at, duration_ms,
        checksum, source)
    SELECT version_table, revision, description, direction, outcome, started_at, finished_at, duration_ms, checksum, source
    FROM migration_log WHERE id IN (1, 2) ORDER BY id
"""


class Fetched:
    """What cursors have handed over: the characters of all values. And on SQLite the instructions that it took."""

    size = 0
    instructions = 0

    def execute_some(self) -> None:
        self.instructions += EACH

    def count(self, found: Any) -> Any:
        rows = found if isinstance(found, list) else [] if found is None else [found]
        self.size += sum(len(str(value)) for row in rows for value in row)
        return found


@pytest.fixture
def fetched() -> Fetched:
    return Fetched()


@pytest.fixture
def counted(database_url: str, fetched: Fetched, tmp_path: Path) -> Iterator[sa.Engine]:
    """An engine on a database with a long log, whose cursors count what is fetched through them."""

    class _Counting:
        def fetchone(self) -> Any:
            return fetched.count(super().fetchone())  # type: ignore[misc]

        def fetchmany(self, *size: int) -> Any:
            return fetched.count(super().fetchmany(*size))  # type: ignore[misc]

        def fetchall(self) -> Any:
            return fetched.count(super().fetchall())  # type: ignore[misc]

    class _SQLite(_Counting, sqlite3.Cursor):
        pass

    class _Connection(sqlite3.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.set_progress_handler(fetched.execute_some, EACH)

        def cursor(self, factory: Any = None) -> Any:
            return super().cursor(_SQLite)

    class _PostgreSQL(_Counting, psycopg2.extensions.cursor):
        pass

    Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS, STONES), database_url=database_url).upgrade("002")
    text = "repeat('x', {})" if "postgresql" in database_url else "printf('%.{}c', 'x')"
    execute(database_url, FILL.format(text=text.format(TEXT)), AGAIN)
    assert ask(database_url, "SELECT sum(length(source)) FROM migration_log") > ENTRIES * TEXT
    factory = {"cursor_factory": _PostgreSQL} if "postgresql" in database_url else {"factory": _Connection}
    engine = sa.create_engine(database_url, connect_args=factory)
    yield engine
    engine.dispose()


COMMANDS: dict[str, Callable[[Migrator], object]] = {
    "status": lambda engine: engine.status(),
    "current": lambda engine: engine.current(),
    "plan": lambda engine: engine.plan(),
    "log": lambda engine: engine.log(5),
    "upgrade": lambda engine: engine.upgrade(),
    "nothing to do": lambda engine: engine.upgrade(),
    "downgrade": lambda engine: engine.downgrade("001"),
    "downgrade by the stored text": lambda engine: (_remove(engine), engine.downgrade("base", run_stored=True)),
    "stamp": lambda engine: engine.stamp("base", verify=False),
}


def _remove(engine: Migrator) -> None:
    engine.upgrade("002")
    for revision in ("002", "003"):
        revision_path(engine.path, revision).unlink()


def test_no_command_reads_the_whole_log(counted: sa.Engine, fetched: Fetched, tmp_path: Path) -> None:
    engine = Migrator(tmp_path / "project" / "alembic.ini", connection=counted)
    for name, command in COMMANDS.items():
        fetched.size = fetched.instructions = 0
        command(engine)
        assert 0 < fetched.size < MOST, name
        assert fetched.instructions < MOST_INSTRUCTIONS, name


def test_the_quick_way_reads_no_more_either(
    counted: sa.Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "project" / "alembic.ini"
    env = tmp_path / "project" / "migrations" / "env.py"
    env.write_text(env.read_text().replace("run_env(sa.MetaData())", "metadata = sa.MetaData()\nrun_env(metadata)"))
    Migrator(config, database_url=database_url).upgrade()
    asked: list[int] = []
    package = "postgresql" if "postgresql" in database_url else "sqlite"
    look = __import__(f"migrator.dialects.{package}.look", fromlist=["look"])
    real = look.look

    def counting(*arguments: Any) -> Any:
        found = real(*arguments)
        asked.extend(len(str(rows)) for rows in found.answers)
        return found

    monkeypatch.setattr(look, "look", counting)
    monkeypatch.setattr(FastPath, "full", property(lambda self: pytest.fail("the engine was loaded")))
    found = FastPath(config, database_url=database_url).status()
    assert [revision.applied for revision in found.revisions] == [True] * 3
    assert 0 < sum(asked) < MOST / 10
