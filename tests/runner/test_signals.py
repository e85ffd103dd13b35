"""Ctrl-C and SIGTERM: what runs is cancelled at once and rolled back, and an application keeps its own handlers."""

import os
import signal
import threading
from pathlib import Path

import pytest

from migrator import Migrator
from tests.kit.database import ask, heads, logged, tables
from tests.kit.doors import DOORS
from tests.kit.fork_server import Forks, until
from tests.kit.projects import ANIMALS, NAME, creates, miniature
from tests.postgresql.sessions import session

ENDLESS = {
    "postgresql": "SELECT pg_sleep(600)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
}
# aiosqlite has no way to give up a statement.
PLACES = [
    ("sqlite", "migrate.py"),
    ("sqlite", "alembic"),
    ("postgresql", "migrate.py"),
    ("postgresql", "alembic"),
    ("postgresql", "an async env.py"),
]
STEP = """
def upgrade():
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
    Path(os.environ["REACHED"]).touch()
    op.execute("{endless}")
"""
RUNS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
ROLLED_BACK = "The upgrade of 002 was rolled back; the database is at 001."
# Whose handlers are in force while a step runs: Python's, the engine's, or the application's.
NOTES = """
def name(handler):
    if handler in (signal.default_int_handler, signal.SIG_DFL):
        return "default"
    return "engine" if getattr(handler, "__module__", "").startswith("migrator.") else "application"


def upgrade():
    handlers = map(signal.getsignal, (signal.SIGINT, signal.SIGTERM))
    Path({file!r}).write_text(" ".join(map(name, handlers)))
"""
INDEX = """
def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_name", "animals", ["name"], postgresql_concurrently=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize(("dialect", "door"), PLACES)
def test_a_signal_cancels_the_statement_that_runs(
    forks: Forks, request: pytest.FixtureRequest, tmp_path: Path, dialect: str, door: str, number: signal.Signals
) -> None:
    database_url = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[dialect])
    reached = tmp_path / "reached"
    config = DOORS[door].make(tmp_path / "p", ANIMALS, STEP.format(endless=ENDLESS[dialect]), url=database_url)
    (process,) = DOORS[door].start(forks, config, database_url, "upgrade", "head", REACHED=str(reached))
    until(reached.exists)
    if dialect == "postgresql":
        until(lambda: ask(database_url, RUNS))
    os.kill(process.pid, number)
    result = process.wait(timeout=30)
    assert (heads(database_url), "plants" in tables(database_url)) == (["001"], False)
    if dialect == "postgresql":
        assert (ask(database_url, RUNS), ask(database_url, LOCKS)) == (0, 0)
    if number == signal.SIGTERM:
        assert result.code == -signal.SIGTERM
        assert f"Terminated (SIGTERM). {ROLLED_BACK}" in result.stderr
    elif door == "migrate.py":
        assert result.code == 2
        assert f"Interrupted. {ROLLED_BACK}" in result.stderr
    else:
        assert result.code == 1  # what is left of it in this process, which ends with what Python made of it
        assert "KeyboardInterrupt" in result.stderr
        assert ROLLED_BACK in result.stderr


def test_a_signal_cancels_a_statement_on_a_second_connection_too(
    forks: Forks, postgres_url: str, tmp_path: Path
) -> None:
    body = 'def upgrade():\n    sa.create_engine(os.environ["DATABASE_URL"]).connect().exec_driver_sql("SELECT pg_sleep(600)")'
    config = miniature(tmp_path / "p", body)
    (process,) = DOORS["migrate.py"].start(forks, config, postgres_url, "upgrade")
    until(lambda: ask(postgres_url, RUNS))
    os.kill(process.pid, signal.SIGINT)
    assert (process.wait(timeout=30).code, ask(postgres_url, RUNS)) == (2, 0)


def test_an_index_that_was_cancelled_is_built_by_the_next_run(forks: Forks, postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "p", creates("animals", NAME), INDEX)
    Migrator(config, database_url=postgres_url).upgrade("001")
    with session(postgres_url, "DELETE FROM animals"):
        (process,) = DOORS["migrate.py"].start(forks, config, postgres_url, "upgrade")
        until(lambda: ask(postgres_url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"))
        os.kill(process.pid, signal.SIGINT)
        result = process.wait(timeout=30)
    assert result.code == 2
    assert "The version table still says 001" in result.stderr
    assert logged(postgres_url, "begun") == ["002"]
    Migrator(config, database_url=postgres_url).upgrade()
    assert ask(postgres_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_name'::regclass")


def test_the_applications_own_handlers_stay_and_pythons_come_back(sqlite_url: str, tmp_path: Path) -> None:
    engine = Migrator(miniature(tmp_path / "p", NOTES.format(file=str(tmp_path / "notes"))), database_url=sqlite_url)
    default = signal.default_int_handler, signal.SIG_DFL

    def handlers() -> tuple[object, object]:
        return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def seen() -> list[str]:
        engine.upgrade()
        engine.downgrade("base")
        return (tmp_path / "notes").read_text().split()

    assert threading.current_thread() is threading.main_thread()

    def own(*_: object) -> None:
        """Handle a signal."""

    before = handlers()
    try:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), default, strict=True):
            signal.signal(number, handler)
        assert seen() == ["engine", "engine"]
        assert handlers() == default
        thread = threading.Thread(target=seen)
        thread.start()
        thread.join()
        assert (tmp_path / "notes").read_text().split() == ["default", "default"]
        signal.signal(signal.SIGINT, own)
        assert seen() == ["application", "engine"]
        assert handlers() == (own, signal.SIG_DFL)
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        for number, given in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, given)
