"""Every door leads to the same place: `migrate.py`, `alembic`, a connection handed over, and the Python API."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from migrator import HistoryError, Migrator, MigratorError, NotAtHead
from tests.kit import CONFIG, ROOT
from tests.kit.assertions import assert_says, revision_file
from tests.kit.database import tables
from tests.kit.postgres import Server
from tests.kit.processes import Project
from tests.kit.shape import Table, read_shape

RUFF = Path(sysconfig.get_path("scripts"), "ruff")


def state(url: str) -> tuple[tuple[str, ...], dict[str, Table], list[tuple[str, str, str]]]:
    """Where a database is, its schema, and what the log says has happened, newest first."""
    migrator = Migrator(CONFIG, database_url=url)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        entries = [(entry.revision, entry.direction, entry.outcome) for entry in migrator.log()]
        return migrator.current(), read_shape(connection), entries


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


def test_the_same_commands_do_the_same_through_migrate_and_through_alembic(
    project: Project, sqlite_url: str, postgres_url: str, postgres_server: Server
) -> None:
    copy = postgres_server.create_database()
    for url, other in ((sqlite_url, f"{sqlite_url}.2"), (postgres_url, copy)):
        for arguments in (["upgrade", "head"], ["downgrade", "-2"]):
            for program, target in ((project.migrate, url), (project.alembic, other)):
                done = program(*arguments, url=target)
                assert done.code == 0, done
            assert state(url) == state(other)
        unlike = project.migrate("stamp", "003", url=url), project.alembic("stamp", "003", url=other)
        assert [(done.code, "stamp-refused" in done.stderr + done.stdout) for done in unlike] == [
            (1, True),
            (255, True),
        ]
        for done in (
            project.migrate("stamp", "003", "--no-verify", url=url),
            project.alembic("-x", "no_verify", "stamp", "003", url=other),
        ):
            assert done.code == 0, done
        assert state(url) == state(other)
        assert project.migrate("current", url=url).stdout == "003\n"
        assert project.alembic("current", url=other).stdout == "003\n"
    postgres_server.drop_database(copy)


def test_alembic_works_from_elsewhere_and_says_what_it_does(project: Project, tmp_path: Path) -> None:
    ini = str(project.path / "alembic.ini")
    done = project.alembic("-c", ini, "upgrade", "002", cwd=tmp_path)
    assert done.code == 0
    assert "Running upgrade 001 -> 002, Create conversations." in done.stderr
    assert "INFO  [migrator] upgrade 002 in " in done.stderr
    assert Migrator(ini).current() == ("002",)
    assert "011 -> 012 (head), Add version to sections." in project.alembic("-c", ini, "history", cwd=tmp_path).stdout
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize(("door", "database"), [("migrate", "postgres_url"), ("alembic", "sqlite_url")])
def test_a_new_revision_gets_the_next_number_and_the_house_style(
    project: Project, door: str, database: str, request: pytest.FixtureRequest
) -> None:
    program, database_url = getattr(project, door), request.getfixturevalue(database)
    Migrator(CONFIG, database_url=database_url).upgrade()
    assert program("revision", "-m", 'Say "why", in one line.', url="postgresql://nobody@127.0.0.1:1/none").code == 0
    by_hand = revision_file(project, "013")
    assert by_hand.name == "013_say_why_in_one_line.py"
    assert by_hand.read_text().startswith('"""Say "why", in one line."""\n\nimport sqlalchemy as sa  # noqa: F401\n')
    for check in (["check"], ["format", "--check"]):
        linted = subprocess.run(
            [RUFF, *check, "--config", ROOT / "pyproject.toml", by_hand], capture_output=True, text=True
        )
        assert linted.returncode == 0, linted.stdout
    by_hand.unlink()

    model = project.path / "app/models/documents.py"
    label = 'class Label(Identified, Base):\n    __tablename__ = "labels"\n    name: Mapped[str | None]\n\n\n'
    model.write_text(model.read_text().replace("class Section(", f"{label}class Section("))
    assert program("revision", "--autogenerate", "-m", "Add labels", url=database_url).code == 0
    written = revision_file(project, "013").read_text()
    assert "types.GUID()" in written
    assert "op.drop_table('labels')" in written
    linted = subprocess.run([RUFF, "check", "--config", ROOT / "pyproject.toml", revision_file(project, "013")])
    assert linted.returncode == 0
    assert program("upgrade", "head", url=database_url).code == 0
    assert "labels" in tables(database_url)
    assert program("check", url=database_url).code == 0
    assert program("downgrade", "-1", url=database_url).code == 0
    assert "labels" not in tables(database_url)


def test_a_connection_and_an_engine_may_be_handed_over(engine: Engine) -> None:
    config = Config(CONFIG)
    config.attributes["connection"] = engine
    command.upgrade(config, "004")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        assert not connection.in_transaction()
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "012"
        with pytest.raises(MigratorError) as refused:
            command.downgrade(config, "base")
        assert_says(str(refused.value), "connection-in-transaction", "already in a transaction", "connection.commit()")
        connection.rollback()
        migrator = Migrator(CONFIG, connection=connection)
        assert migrator.downgrade("base").after == ()
        assert migrator.status().at == ()
    assert Migrator(CONFIG, connection=engine).upgrade("001").after == ("001",)


def test_the_sql_for_an_engine_that_is_handed_over_is_in_its_dialect(engine: Engine) -> None:
    written = Migrator(CONFIG, connection=engine).sql("upgrade", "001")
    assert ("UUID" in written) == (engine.dialect.name == "postgresql")


def test_anything_else_that_is_handed_over_is_refused(sqlite_url: str) -> None:
    config = Config(CONFIG)
    for thing, name in ((sqlite3.connect(":memory:"), "Connection"), (sqlite_url, "str")):
        config.attributes["connection"] = thing
        with pytest.raises(MigratorError) as refused:
            command.upgrade(config, "head")
        assert_says(str(refused.value), "connection-unknown", f"is a {type(thing).__module__}.{name}", "sync_engine")
        if isinstance(thing, sqlite3.Connection):
            thing.close()
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_python_has_everything_that_the_command_line_has(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    migrator = Migrator(CONFIG, database_url=database_url)
    assert migrator.url == make_url(database_url).set(drivername=make_url(migrator.url).drivername).render_as_string()
    report = migrator.upgrade("+2")
    assert (report.before, report.after) == ((), ("002",))
    assert [(step.revision, step.direction, step.tries) for step in report.steps] == [
        ("001", "upgrade", 1),
        ("002", "upgrade", 1),
    ]
    assert [step.revision for step in migrator.plan("004")] == ["003", "004"]
    assert [step.revision for step in migrator.plan("base", "downgrade")] == ["002", "001"]
    assert migrator.current() == ("002",)
    status = migrator.status()
    assert (status.at, status.head, len(status.pending), len(status.revisions)) == (("002",), "012", 10, 12)
    assert migrator.history()[2].description == "Create chat_messages."
    with pytest.raises(NotAtHead) as behind:
        migrator.require_head()
    assert (behind.value.exit_code, behind.value.fields) == (1, {"at": ("002",), "wanted": ("012",), "target": "head"})
    assert "Running downgrade 002 -> 001" in migrator.sql("downgrade", "002:001")
    assert migrator.downgrade().after == ("001",)
    assert migrator.stamp("head", verify=False).after == ("012",)
    migrator.require_head()
    assert migrator.upgrade().steps == ()
    with pytest.raises(HistoryError, match="There is no revision '099'"):
        migrator.upgrade("099")
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.glob("*.ini")) == []


def test_threads_take_turns(tmp_path: Path, postgres_url: str) -> None:
    urls = [f"sqlite:///{tmp_path / f'{number}.db'}" for number in range(3)] + [postgres_url] * 3
    with ThreadPoolExecutor(len(urls)) as pool:
        reports = list(pool.map(lambda url: Migrator(CONFIG, database_url=url).upgrade("006"), urls))
    assert [report.after for report in reports] == [("006",)] * 6
    assert sorted(len(report.steps) for report in reports) == [0, 0, 6, 6, 6, 6]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_an_asyncio_program_migrates_when_it_starts(database_url: str, asynchronous: bool) -> None:
    migrator = Migrator(CONFIG, database_url=database_url)

    async def start() -> tuple[str, ...]:
        if asynchronous:
            await asyncio.to_thread(migrator.upgrade)
            await asyncio.to_thread(migrator.require_head)
            return await asyncio.to_thread(migrator.current)
        return migrator.upgrade().after

    assert asyncio.run(start()) == ("012",)


def test_a_program_that_uses_the_api_keeps_its_own_logging(project: Project, sqlite_url: str) -> None:
    script = (
        "import json, logging, sys; logging.basicConfig(level='ERROR')\n"
        "from migrator import Migrator\n"
        "report = Migrator(database_url=sys.argv[1]).upgrade()\n"
        "log = logging.getLogger('alembic')\n"
        "print(json.dumps([len(report.steps), log.level, len(logging.getLogger().handlers)]))"
    )
    done = project.run(sys.executable, "-c", script, sqlite_url)
    assert (json.loads(done.stdout), done.stderr) == ([12, 0, 1], "")
