"""On PostgreSQL the application never queues behind a step that waits for a table: real sessions, real locks."""

import threading
from pathlib import Path

import psycopg2
import pytest

from migrator import LockError, Migrator, StepFailed
from tests.kit.assertions import assert_says
from tests.kit.database import ask, heads, tables
from tests.kit.fork_server import Forks, Job, until
from tests.kit.projects import creates, miniature
from tests.postgresql.sessions import ANIMALS, engine, made_animals, next_revision, session, told

# The row shows that a try that failed has left nothing.
A_ROW_AND_A_COLUMN = """
def upgrade():
    op.execute("INSERT INTO plants VALUES (1)")
    op.add_column("animals", sa.Column("name", sa.Text))
"""
NOTED = """
def upgrade():
    with open(os.environ["NOTES"], "a") as notes:
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        print(*(op.get_bind().exec_driver_sql(f"SHOW {name}").scalar() for name in names), file=notes)
    op.add_column("animals", sa.Column("name", sa.Text))
"""
CONCURRENTLY = """
def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_animals_id", "animals", ["id"], postgresql_concurrently=True)
"""
IN_A_BLOCK = """
def upgrade():
    with op.get_context().autocommit_block():
        op.add_column("animals", sa.Column("name", sa.Text))
"""
CROSSING = """
lock_timeout = 60_000


def upgrade():
    op.execute("LOCK TABLE animals")
    Path(os.environ["REACHED"]).touch()
    op.execute("ALTER TABLE plants ADD COLUMN name text")
"""


@pytest.fixture
def config(postgres_url: str, tmp_path: Path) -> str:
    return made_animals(postgres_url, tmp_path / "project")


def test_a_blocked_step_is_tried_again_as_a_whole_and_says_who_blocks_it(config: str, postgres_url: str) -> None:
    next_revision(config, A_ROW_AND_A_COLUMN)
    with session(postgres_url, "SELECT count(*) FROM animals") as reader:
        pid = reader.info.backend_pid
        with told(lambda lines: len(lines) == 3 and reader.rollback()) as lines:
            report = engine(config, postgres_url, lock_timeout=20).upgrade()
    assert report.steps[0].tries >= 4
    for number, line in enumerate(lines[:3], start=1):
        assert (
            f"002 waits, attempt {number}: pid {pid} (reporting), idle in transaction, in a transaction since 2" in line
        )
        assert line.endswith("SELECT count(*) FROM animals")
    assert ask(postgres_url, "SELECT count(*) FROM plants") == 1


def test_a_step_that_stays_blocked_gives_up_in_time_and_names_the_blockers(
    forks: Forks, config: str, postgres_url: str
) -> None:
    next_revision(config, A_ROW_AND_A_COLUMN)
    short = {"MIGRATOR_LOCK_TIMEOUT": "20", "MIGRATOR_RETRY_FOR": "0.3"}
    with session(postgres_url, "SELECT count(*) FROM animals") as reader:
        pid = reader.info.backend_pid
        (result,) = forks.run(Job(["upgrade"], config, postgres_url, environment=short))
    assert result.code == 2
    error = result.stderr.partition("error: ")[2]
    assert error.startswith("Revision 002 (002_step.py) could not get its locks: still blocked after")
    for words in (f"pid {pid} (reporting), idle in transaction", "rolled back", "#step-blocked"):
        assert words in error
    assert ask(postgres_url, "SELECT count(*) FROM plants") == 0
    assert ask(postgres_url, "SELECT version_num FROM alembic_version") == "001"


def test_every_step_has_a_lock_timeout_that_grows_with_each_try(
    config: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    next_revision(config, NOTED)
    with (
        session(postgres_url, "SELECT count(*) FROM animals") as reader,
        told(lambda lines: len(lines) == 3 and reader.rollback()),
    ):
        engine(config, postgres_url).upgrade()
    waits = [line.split()[0] for line in (tmp_path / "notes").read_text().splitlines()]
    assert waits[:4] == ["250ms", "252ms", "255ms", "257ms"]


def test_a_revision_can_ask_for_other_limits(
    config: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    next_revision(config, f"lock_timeout = 700\nstatement_timeout = 90_000\nretry_for = 0\n\n{NOTED}")
    migrator = engine(config, postgres_url, retry_for=60)
    with session(postgres_url, "SELECT count(*) FROM animals"), pytest.raises(LockError) as blocked:
        migrator.upgrade()
    assert (blocked.value.code, blocked.value.fields["tries"]) == ("step-blocked", 1)
    assert (tmp_path / "notes").read_text().split()[:2] == ["700ms", "90s"]


def test_a_statement_that_takes_longer_than_statement_timeout_fails_the_step(config: str, postgres_url: str) -> None:
    next_revision(config, 'def upgrade():\n    op.execute("SELECT pg_sleep(600)")')
    with pytest.raises(StepFailed, match="statement timeout"):
        engine(config, postgres_url, statement_timeout=50).upgrade()


def test_an_index_built_concurrently_waits_as_long_as_it_takes(forks: Forks, config: str, postgres_url: str) -> None:
    next_revision(config, CONCURRENTLY)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND clock_timestamp() - query_start > '0.5 s'"
    short = {"MIGRATOR_LOCK_TIMEOUT": "20", "PGOPTIONS": "-c lock_timeout=30"}
    with session(postgres_url, "DELETE FROM animals WHERE id = 1") as writer:
        (process,) = forks.start(Job(["upgrade"], config, postgres_url, environment=short))
        until(lambda: ask(postgres_url, waiting))
        writer.commit()
    result = process.wait()
    assert result.code == 0, result
    assert ask(postgres_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_animals_id'::regclass")


def test_a_wait_in_an_autocommit_block_is_bounded_too(config: str, postgres_url: str) -> None:
    next_revision(config, IN_A_BLOCK)
    with (
        session(postgres_url, "SELECT count(*) FROM animals") as reader,
        told(lambda lines: len(lines) == 2 and reader.rollback()) as lines,
    ):
        report = engine(config, postgres_url, lock_timeout=20).upgrade()
    assert len(lines) >= 2
    assert report.steps[0].tries >= 3


def test_a_writer_goes_on_while_a_step_waits_behind_an_idle_reader(
    forks: Forks, config: str, postgres_url: str
) -> None:
    next_revision(config, A_ROW_AND_A_COLUMN)
    with (
        session(postgres_url, "SELECT count(*) FROM animals") as reader,
        session(postgres_url, "SET statement_timeout = '30 s'") as writer,
    ):
        writer.commit()
        writer.autocommit = True
        (process,) = forks.start(Job(["upgrade"], config, postgres_url))
        for number in range(1, 4):
            process.says(f"attempt {number}: pid {reader.info.backend_pid}")
            writer.cursor().execute("INSERT INTO animals VALUES (%s)", [1000 + number])
        reader.rollback()
        result = process.wait()
    assert result.code == 0, result


def test_with_stock_alembic_the_writer_stands_as_long_as_the_reader_lives(
    forks: Forks, postgres_url: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path / "stock", ANIMALS, stock=True, url=postgres_url)
    job = Job(["upgrade", "head"], config, postgres_url, program="alembic")
    forks.run(job)
    next_revision(config, A_ROW_AND_A_COLUMN)
    with session(postgres_url, "SELECT count(*) FROM animals") as reader:
        (process,) = forks.start(job)
        until(lambda: ask(postgres_url, "SELECT count(*) FROM pg_locks WHERE NOT granted"))
        with (
            session(postgres_url, "SET statement_timeout = '1 s'") as writer,
            pytest.raises(psycopg2.errors.QueryCanceled),
        ):
            writer.cursor().execute("INSERT INTO animals VALUES (1000)")
        reader.rollback()
        assert process.wait().code == 0


def test_a_deadlock_is_tried_again(
    config: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = tmp_path / "reached"
    monkeypatch.setenv("REACHED", str(reached))
    next_revision(config, CROSSING)
    # The other session looks for deadlocks so late that the step is the one that ends.
    with session(postgres_url, "SET deadlock_timeout = '10min'", "LOCK TABLE plants") as other:

        def cross() -> None:
            until(reached.exists)
            other.cursor().execute("LOCK TABLE animals")
            other.rollback()

        thread = threading.Thread(target=cross)
        thread.start()
        with told(lambda lines: None) as lines:
            report = engine(config, postgres_url).upgrade()
        thread.join()
    assert report.steps[0].tries == 2
    assert "(reporting)" in lines[0] or "has just ended" in lines[0]


LETS_GO = """
def upgrade():
    op.create_table("stones", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("SELECT pg_advisory_unlock_all()")
"""
DISCARDS = """
def upgrade():
    with op.get_context().autocommit_block():
        op.execute("DISCARD ALL")
"""


@pytest.mark.parametrize("let_go", [LETS_GO, DISCARDS], ids=("unlock", "discard"))
def test_a_session_that_lost_the_lock_begins_no_further_step(postgres_url: str, tmp_path: Path, let_go: str) -> None:
    config = miniature(tmp_path / "project", let_go, creates("animals"))
    with pytest.raises(LockError) as lost, told(lambda lines: None) as lines:
        Migrator(config, database_url=postgres_url).upgrade()
    assert lost.value.code == "lock-released"
    words = ("no longer holds the migration lock: a revision released it", "SET LOCAL")
    at = (
        ("001", "Applied in this run and kept: 001")
        if let_go == LETS_GO
        else ("base", "The version table still says base")
    )
    assert_says(str(lost.value), "lock-released", *words, consequence=at[1])
    assert (heads(postgres_url) or ["base"], "animals" in tables(postgres_url)) == ([at[0]], False)
    assert lines == []


def test_a_lock_that_the_last_step_let_go_is_told(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", LETS_GO)
    with told(lambda lines: None) as lines:
        assert Migrator(config, database_url=postgres_url).upgrade().after == ("001",)
    assert "The migration lock was gone before the end of the run" in lines[-1]
