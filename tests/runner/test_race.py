"""One run at a time, whoever else starts at the same moment: real processes on one database."""

import json
import os
import re
import signal
import socket
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from migrator import Migrator
from tests.conftest import PopulatedAt
from tests.kit import CONFIG
from tests.kit.database import ask
from tests.kit.fork_server import Forks, Job, Process, until
from tests.kit.projects import NAME, NOTHING, creates, miniature, write_revisions
from tests.postgresql.sessions import session
from tests.runner.race import PROCESSES, race

REVISIONS = [f"{number:03}" for number in range(1, 13)]

# Every process that reads this file has read the version table before, and goes on when all of them are here.
MEETING = """
Path(os.environ["MEETING"], str(os.getpid())).touch()
os.read(os.open(Path(os.environ["MEETING"], "gate"), os.O_RDONLY), 1)


def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True))
"""
# A step that waits, in its transaction and with the lock held, until the test opens the other end.
WAIT = """
def wait():
    Path(os.environ["HOLD"] + ".reached").touch()
    with open(os.environ["HOLD"]) as gate:
        gate.read()
"""
SLOW_UP = f"""
def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True))
    wait()

{WAIT}
"""
SLOW_DOWN = f"""
def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("animals")
    wait()

{WAIT}
"""
FILLED = creates("animals", NAME, then="INSERT INTO animals SELECT i, i::text FROM generate_series(1, 1000) i")
INDEX = """
def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_animals_name", "animals", ["name"], postgresql_concurrently=True)
"""


@contextmanager
def holding(forks: Forks, config: str, url: str, gate: Path, *arguments: str) -> Iterator[Process]:
    """A run that has the lock and is in the middle of a step, for as long as the block runs."""
    os.mkfifo(gate)
    (process,) = forks.start(Job(arguments, config, url, environment={"HOLD": str(gate)}))
    until(Path(f"{gate}.reached").exists)
    yield process
    gate.write_text("")
    assert process.wait().code == 0


@pytest.mark.parametrize("attempt", [1, 2])
def test_sixteen_upgrades_of_an_empty_database_apply_each_revision_once(
    forks: Forks, database_url: str, attempt: int
) -> None:
    race(forks, database_url, CONFIG, REVISIONS)


@pytest.mark.parametrize("attempt", [1, 2])
def test_sixteen_upgrades_with_one_pending_apply_it_once(forks: Forks, populated_at: PopulatedAt, attempt: int) -> None:
    race(forks, populated_at("011"), CONFIG, ["012"])


@pytest.mark.parametrize("stock", [True, False], ids=("stock", "ours"))
def test_two_that_planned_the_same_step_crash_with_stock_alembic_and_not_here(
    forks: Forks, database_url: str, tmp_path: Path, stock: bool
) -> None:
    config = miniature(tmp_path / "animals", NOTHING, stock=stock, url=database_url)
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    os.mkfifo(meeting / "gate")
    program = "alembic" if stock else "migrate.py"
    job = Job(["upgrade", "head"], config, database_url, program=program, environment={"MEETING": str(meeting)})
    forks.run(job)
    write_revisions(tmp_path / "animals", [MEETING], first=2)
    processes = forks.start(job, job)
    until(lambda: len(list(meeting.iterdir())) == 3)
    with open(meeting / "gate", "wb", buffering=0) as gate:  # noqa: PTH123
        gate.write(b"..")  # and stays open: one of them may not be at it yet
        codes = sorted(process.wait().code for process in processes)
    assert codes == ([0, 1] if stock else [0, 0])


def test_a_waiting_run_says_whom_it_waits_for_and_then_finds_nothing_to_do(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path / "animals", SLOW_UP)
    with holding(forks, config, database_url, tmp_path / "gate", "upgrade") as holder:
        (waiter,) = forks.start(Job(["upgrade"], config, database_url))
        said = waiter.says("since 20")
        assert f"Waiting for another run: migrator {socket.gethostname()}:{holder.pid}" in said
    result = waiter.wait()
    assert (result.code, result.stdout.splitlines()[1]) == (0, "Nothing to do: the database is at 001.")


def test_a_wait_that_is_too_long_ends_with_an_error_that_says_how_to_look_and_what_to_do(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path / "animals", SLOW_UP)
    with holding(forks, config, database_url, tmp_path / "gate", "upgrade") as holder:
        (result,) = forks.run(Job(["--lock-wait", "1", "upgrade"], config, database_url))
    assert result.code == 2
    assert re.search(r"error: Another run held the migration lock for all of the \d s", result.stderr), result
    assert f"migrator {socket.gethostname()}:{holder.pid}" in result.stderr
    assert "Nothing was changed." in result.stderr
    for remedy in ("--lock-wait SECONDS", "migrate.py current", "docs/errors.md#lock-timeout"):
        assert remedy in result.stderr


def test_with_nothing_pending_nobody_waits_for_a_lock_that_somebody_holds(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path / "animals", SLOW_DOWN)
    Migrator(config, database_url=database_url).upgrade()
    with holding(forks, config, database_url, tmp_path / "gate", "downgrade"):
        (result,) = forks.run(Job(["--lock-wait", "0", "upgrade"], config, database_url))
        assert (result.code, result.stderr) == (0, "")
        assert "Nothing to do" in result.stdout


def test_with_nothing_pending_sqlite_gets_no_lock_file(forks: Forks, tmp_path: Path) -> None:
    directory = tmp_path / "database"
    directory.mkdir()
    url = f"sqlite:///{directory / 'app.db'}"
    Migrator(CONFIG, database_url=url).upgrade()
    for path in directory.iterdir():
        if path.name != "app.db":
            path.unlink()
    (result,) = forks.run(Job(["upgrade"], CONFIG, url))
    assert (result.code, [path.name for path in directory.iterdir()]) == (0, ["app.db"])


def test_runs_that_wait_do_not_hold_up_an_index_built_concurrently(
    forks: Forks, postgres_url: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path / "animals", FILLED, INDEX)
    Migrator(config, database_url=postgres_url).upgrade("001")
    with session(postgres_url, "DELETE FROM animals WHERE id = 1"):  # the index has to wait for this transaction
        processes = forks.start(*[Job(["upgrade"], config, postgres_url)] * PROCESSES)
        until(lambda: ask(postgres_url, "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'CREATE INDEX%'"))
        until(lambda: sum("Waiting for another run" in process.stderr for process in processes) == PROCESSES - 1)
    results = [process.wait() for process in processes]
    assert [result.code for result in results] == [0] * PROCESSES, results
    assert sum("Applied" in result.stdout for result in results) == 1
    assert ask(postgres_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_animals_name'::regclass")


def test_the_lock_file_that_a_dead_run_left_is_nobodys(forks: Forks, sqlite_url: str) -> None:
    note = Path(sqlite_url.removeprefix("sqlite:///") + ".migrator.lock")
    note.write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": "2020-01-01T00:00:00+00:00"}))
    (result,) = forks.run(Job(["--lock-wait", "0", "upgrade"], CONFIG, sqlite_url))
    assert result.code == 0, result
    assert "Waiting" not in result.stderr


def test_a_child_that_was_forked_while_a_thread_migrates_takes_its_own_turn(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    monkeypatch.setenv("HOLD", str(gate))
    engine = Migrator(miniature(tmp_path / "animals", SLOW_UP), database_url=database_url)
    with ThreadPoolExecutor(1) as thread:
        report = thread.submit(engine.upgrade)
        until(Path(f"{gate}.reached").exists)
        with warnings.catch_warnings(action="ignore"):  # what Python thinks of it since 3.12
            child = os.fork()
        if not child:
            code = 1
            try:
                code = int(engine.current() != ())
            finally:
                os._exit(code)
        ended = (0, 0)
        try:
            until(lambda: os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT), timeout=20)
            ended = os.waitpid(child, 0)
        finally:
            if not ended[0]:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            gate.write_text("")
        assert os.waitstatus_to_exitcode(ended[1]) == 0
        assert report.result().after == ("001",)
