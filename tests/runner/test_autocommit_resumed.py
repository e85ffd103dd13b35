"""What a step commits before its end: retried behind it, told from what was refused, and lost sight of without the log."""

import signal
from pathlib import Path

import pytest

from migrator import Migrator, StepFailed
from tests.kit.database import ask, execute, heads, indexes, logged, rows, tables
from tests.kit.fork_server import Forks, Job
from tests.kit.projects import miniature
from tests.postgresql.sessions import session

ANIMALS = """
def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
"""
BLOCK_THEN_ALTER = """
def upgrade():
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX ix_one ON animals (name)")
    if "DIE" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    op.add_column("plants", sa.Column("name", sa.Text))
    if "FAIL" in os.environ:
        raise RuntimeError("after the block")
"""
MOOD = """
def upgrade():
    op.execute("CREATE TYPE mood AS ENUM ('sad')")
"""
NEW_MOOD = """
def die(cursor, statement, parameters, context):
    if "ADD VALUE" in statement:
        cursor.execute(statement)
        os.kill(os.getpid(), signal.SIGKILL)


def upgrade():
    if "DIE" in os.environ:
        sa.event.listen(op.get_bind().engine, "do_execute", die)
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE mood ADD VALUE 'glad'")
"""


def at_001(directory: Path, url: str) -> str:
    """The alembic.ini of a project whose second revision, with the block, is pending."""
    config = miniature(directory / "animals", ANIMALS, BLOCK_THEN_ALTER)
    Migrator(config, database_url=url).upgrade("001")
    return config


def test_a_lock_met_after_the_block_is_waited_for_behind_what_is_committed(
    forks: Forks, postgres_url: str, tmp_path: Path
) -> None:
    config = at_001(tmp_path, postgres_url)
    with session(postgres_url, "SELECT count(*) FROM plants"):
        (process,) = forks.start(Job(["upgrade"], config, postgres_url, environment={"MIGRATOR_LOCK_TIMEOUT": "50"}))
        process.says("002 waits, attempt 2: ")
        assert indexes(postgres_url, "animals") == {"ix_one"}
        built = ask(postgres_url, "SELECT 'ix_one'::regclass::oid")
    result = process.wait()
    assert result.code == 0, result
    assert ask(postgres_url, "SELECT 'ix_one'::regclass::oid") == built
    assert (heads(postgres_url), logged(postgres_url, "begun")) == (["002"], [])


def test_a_lock_that_outlasts_the_patience_says_what_is_committed(
    forks: Forks, postgres_url: str, tmp_path: Path
) -> None:
    config = at_001(tmp_path, postgres_url)
    hurried = {"MIGRATOR_LOCK_TIMEOUT": "50", "MIGRATOR_RETRY_FOR": "0"}
    with session(postgres_url, "SELECT count(*) FROM plants"):
        (result,) = forks.run(Job(["upgrade"], config, postgres_url, environment=hurried))
    assert result.code == 2
    assert "\n  - CREATE INDEX ix_one ON animals (name)\n" in result.stderr
    assert logged(postgres_url, "failed") == ["002"]
    (again,) = forks.run(Job(["upgrade"], config, postgres_url))
    assert (again.code, heads(postgres_url)) == (0, ["002"])


def test_a_statement_that_was_refused_because_something_is_in_its_place_is_never_taken_for_done(
    database_url: str, tmp_path: Path
) -> None:
    engine = Migrator(miniature(tmp_path / "animals", ANIMALS, BLOCK_THEN_ALTER), database_url=database_url)
    engine.upgrade("001")
    execute(database_url, "CREATE INDEX ix_one ON animals (id)")
    for _ in range(3):
        with pytest.raises(StepFailed, match="already exists") as failed:
            engine.upgrade()
        assert failed.value.code == "step-failed"
    execute(database_url, "DROP INDEX ix_one")
    engine.upgrade()
    assert (heads(database_url), indexes(database_url, "animals")) == (["002"], {"ix_one"})


def test_a_statement_whose_end_was_not_seen_is_known_by_the_databases_answer(
    forks: Forks, postgres_url: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path / "animals", MOOD, NEW_MOOD)
    (result,) = forks.run(Job(["upgrade"], config, postgres_url, environment={"DIE": "1"}))
    assert result.code == -signal.SIGKILL
    (result,) = forks.run(Job(["upgrade"], config, postgres_url))
    assert result.code == 0, result
    assert "is resumed after: begun: ALTER TYPE mood ADD VALUE 'glad'" in result.stderr
    assert rows(postgres_url, "SELECT enumlabel FROM pg_enum ORDER BY enumsortorder") == ["sad", "glad"]
    assert heads(postgres_url) == ["002"]


def test_with_the_log_switched_off_an_error_promises_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = miniature(tmp_path / "animals", ANIMALS, BLOCK_THEN_ALTER)
    engine = Migrator(config, database_url=database_url, log=False)
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(StepFailed, match="after the block") as failed:
        engine.upgrade()
    assert failed.value.code == "step-failed-unresumable"
    assert "\n  - CREATE INDEX ix_one ON animals (name)\n" in str(failed.value)
    assert "The next run cannot tell where to continue" in str(failed.value)
    monkeypatch.delenv("FAIL")
    execute(database_url, "DROP INDEX ix_one")
    engine.upgrade()
    assert heads(database_url) == ["002"]
    assert tables(database_url) == {"alembic_version", "animals", "plants"}


def test_with_the_log_switched_off_a_killed_block_is_not_repeated_in_silence(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    config, off = miniature(tmp_path / "animals", ANIMALS, BLOCK_THEN_ALTER), {"MIGRATOR_LOG": "off"}
    (result,) = forks.run(Job(["upgrade"], config, database_url, environment={"DIE": "1", **off}))
    assert result.code == -signal.SIGKILL
    (result,) = forks.run(Job(["upgrade"], config, database_url, environment=off))
    assert (result.code, "already exists" in result.stderr) == (2, True)
    assert heads(database_url) == ["001"]
