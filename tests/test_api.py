"""`Migrator` in a program: small frozen answers, no output, any thread, and an application that does not start behind its code."""

import asyncio
import dataclasses
import logging
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from starlette.testclient import TestClient

from migrator import DatabaseError, HistoryError, Migrator, NotAtHead, StepFailed
from tests.kit import ROOT
from tests.kit.assertions import assert_says
from tests.kit.database import execute, heads, logged, state, tables
from tests.kit.doors import DOORS
from tests.kit.projects import ANIMALS, PLANTS, creates, miniature, revision_path

FAILS = "def upgrade():\n    raise RuntimeError('half-way')"
METHODS: dict[str, Callable[[Migrator], Any]] = {
    "upgrade": lambda engine: engine.upgrade(),
    "plan": lambda engine: engine.plan("base", "downgrade"),
    "status": lambda engine: engine.status(),
    "log": lambda engine: engine.log(),
    "history": lambda engine: engine.history(),
    "current": lambda engine: engine.current(),
    "require_head": lambda engine: engine.require_head(),
    "downgrade": lambda engine: engine.downgrade("base"),
    "stamp": lambda engine: engine.stamp("002", verify=False),
}


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Migrator:
    return Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS), database_url=database_url)


def test_every_answer_is_frozen(engine: Migrator) -> None:
    for name, method in METHODS.items():
        answer = method(engine)
        for part in answer if isinstance(answer, tuple) else (answer,):
            assert part is None or isinstance(part, str) or part.__dataclass_params__.frozen, name
            for field in dataclasses.fields(part) if dataclasses.is_dataclass(part) else ():
                value = getattr(part, field.name)
                assert type(value).__module__ in (
                    "builtins",
                    "datetime",
                    "pathlib",
                    "pathlib._local",
                    "migrator.results",
                ), value


def test_nothing_is_printed_and_no_logging_is_touched(
    engine: Migrator, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def setup() -> list[Any]:
        loggers = [logging.getLogger(name) for name in (None, "alembic", "migrator", "sqlalchemy", "sqlalchemy.engine")]
        state = [(one.level, list(one.handlers), one.disabled, one.propagate) for one in loggers]
        return [*state, logging.root.manager.disable, warnings.showwarning, list(warnings.filters)]

    before = setup()
    for method in METHODS.values():
        method(engine)
    assert setup() == before
    assert capfd.readouterr() == ("", "")


def test_an_error_says_in_its_fields_what_was_applied_and_what_failed(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as failed:
        Migrator(miniature(tmp_path / "project", ANIMALS, FAILS), database_url=database_url).upgrade()
    fields = failed.value.fields
    assert (fields["revision"], fields["applied"], fields["at"]) == ("002", ("001",), ("001",))
    assert isinstance(failed.value.__cause__, RuntimeError)


def test_threads_take_turns(engine: Migrator, database_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda _: engine.upgrade(), range(8)))
        assert sorted(len(report.steps) for report in reports) == [0] * 7 + [2]
        assert {status.at for status in pool.map(lambda _: engine.status(), range(8))} == {("002",)}
    assert logged(database_url) == ["001", "002"]


def test_threads_with_projects_of_their_own_do_not_mix_them_up(database_url: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    engines = [
        Migrator(miniature(tmp_path / name, creates(name)), database_url=url)
        for name, url in (("animals", database_url), ("plants", other))
    ]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            list(pool.map(lambda one: one.upgrade(), engines))
            assert [tables(database_url) & {"animals", "plants"}, tables(other) & {"animals", "plants"}] == [
                {"animals"},
                {"plants"},
            ]
            list(pool.map(lambda one: one.downgrade("base"), engines))


def test_in_a_running_asyncio_program(engine: Migrator, database_url: str) -> None:
    async def program() -> None:
        report, status = await asyncio.gather(asyncio.to_thread(engine.upgrade), asyncio.to_thread(engine.status))
        assert (report.after, status.head) == (("002",), "002")
        assert engine.downgrade("001").after == ("001",)

    asyncio.run(program())
    assert heads(database_url) == ["001"]


def test_in_a_running_asyncio_program_on_an_async_env_py(database_url: str, tmp_path: Path) -> None:
    config = DOORS["an async env.py"].make(tmp_path / "project", ANIMALS, url=database_url)
    asyncio.run(asyncio.to_thread(Migrator(config).upgrade))
    assert heads(database_url) == ["001"]


def test_on_a_connection_of_an_async_engine(engine: Migrator, database_url: str) -> None:
    url = sa.make_url(database_url)
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}[url.get_backend_name()]

    async def program() -> None:
        database = create_async_engine(url.set(drivername=driver), poolclass=NullPool)
        with pytest.raises(DatabaseError) as refused:
            Migrator(engine.path, connection=database).upgrade()  # type: ignore[arg-type]
        assert refused.value.code == "connection-unknown"
        async with database.connect() as connection:
            await connection.run_sync(lambda one: Migrator(engine.path, connection=one).upgrade())
            assert not connection.in_transaction()
        await database.dispose()

    asyncio.run(program())
    assert heads(database_url) == ["002"]


def test_on_an_engine_of_the_programs_own(engine: Migrator, database_url: str) -> None:
    own = sa.create_engine(database_url, poolclass=NullPool)
    assert Migrator(engine.path, connection=own).upgrade("001").after == ("001",)
    with own.connect() as connection:
        assert Migrator(engine.path, connection=connection).upgrade().before == ("001",)


def test_require_head_is_content_with_the_head_alone(engine: Migrator, database_url: str) -> None:
    engine.upgrade()
    engine.require_head()
    engine.downgrade("001")
    before = state(database_url)
    with pytest.raises(NotAtHead) as behind:
        engine.require_head()
    assert (behind.value.fields["at"], behind.value.fields["wanted"], behind.value.exit_code) == (("001",), ("002",), 1)
    assert state(database_url) == before


def test_require_head_raises_on_an_empty_database_and_writes_nothing(engine: Migrator, database_url: str) -> None:
    execute(database_url, "CREATE TABLE kept (id INTEGER)")
    with pytest.raises(NotAtHead, match="The database is at base, and this program needs 002"):
        engine.require_head()
    assert tables(database_url) == {"kept"}


def test_require_head_raises_where_there_is_no_database_and_makes_none(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as missing:
        Migrator(miniature(tmp_path / "project", ANIMALS), database_url=sqlite_url).require_head()
    assert missing.value.code == "database-missing"
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_require_head_raises_on_a_database_that_is_ahead_or_unknown(engine: Migrator, database_url: str) -> None:
    engine.upgrade()
    revision_path(engine.path, "002").unlink()
    with pytest.raises(HistoryError) as ahead:
        engine.require_head()
    assert ahead.value.code == "database-ahead"
    execute(database_url, "UPDATE alembic_version SET version_num = 'elsewhere'")
    with pytest.raises(HistoryError) as unknown:
        engine.require_head()
    assert unknown.value.code == "database-unknown-revision"


def test_the_example_application_starts_on_its_head_and_on_nothing_else(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_from_file_location("fastapi_app", ROOT / "docs" / "examples" / "fastapi_app.py")
    assert spec is not None
    assert spec.loader is not None
    example = module_from_spec(spec)
    spec.loader.exec_module(example)
    monkeypatch.setenv("DATABASE_URL", database_url)
    engine = Migrator(example.ALEMBIC_INI)
    engine.upgrade("011")
    with pytest.raises(NotAtHead, match="The database is at 011"), TestClient(example.app):
        pass
    assert heads(database_url) == ["011"]
    engine.upgrade()
    with TestClient(example.app) as client:
        assert client.get("/health").json() == {"status": "ok"}


def test_a_program_that_needs_the_head_is_told_where_the_database_is(database_url: str, tmp_path: Path) -> None:
    engine = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS), database_url=database_url)
    engine.upgrade("001")
    with pytest.raises(NotAtHead) as behind:
        engine.require_head()
    assert (behind.value.code, behind.value.exit_code) == ("not-at-head", 1)
    assert_says(str(behind.value), "not-at-head", "The database is at 001, and this program needs 002.")
