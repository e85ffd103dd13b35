"""A step that waits says whom for, and one that waits for itself is told at once: real sessions, real locks."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from migrator import LockError
from migrator.dialects.postgresql import watch
from tests.kit.assertions import assert_says
from tests.kit.database import ask, execute, heads
from tests.kit.fork_server import Forks, Job, until
from tests.postgresql.sessions import engine, made_animals, next_revision, session, told

CONCURRENTLY = """
def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_animals_id", "animals", ["id"], postgresql_concurrently=True)
"""
A_ROW = """
def upgrade():
    op.execute("UPDATE animals SET id = -1 WHERE id = 1")
"""
WAITS_FOR_SOMEBODY = """
def upgrade():
    op.drop_table("plants")
    with sa.create_engine(op.get_bind().engine.url).connect() as other:
        other.exec_driver_sql("LOCK TABLE animals")
"""
BUILT = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_animals_id'::regclass"
# Each waits for ever with stock Alembic, but for the third, which lock_timeout would end, and the engine would try again.
FOR_ITSELF = {
    "another engine": (
        "op.drop_table('plants')",
        "sa.create_engine(op.get_bind().engine.url).connect().exec_driver_sql('SELECT * FROM plants')",
    ),
    "another driver's connection": (
        "op.drop_table('plants')",
        "psycopg2.connect(os.environ['DATABASE_URL'].replace('+psycopg2', '')).cursor().execute('SELECT * FROM plants')",
    ),
    "the other way round": (
        "other = sa.create_engine(op.get_bind().engine.url).connect()",
        "other.exec_driver_sql('SELECT * FROM plants')",
        "op.drop_table('plants')",
    ),
    "the other way round, without a limit": (
        "other = sa.create_engine(op.get_bind().engine.url).connect()",
        "other.exec_driver_sql('UPDATE animals SET id = -1 WHERE id = 1')",
        "op.execute('UPDATE animals SET id = -2 WHERE id = 1')",
    ),
}


@pytest.fixture
def config(postgres_url: str, tmp_path: Path) -> str:
    return made_animals(postgres_url, tmp_path / "project")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that looks more often than once in a second."""
    monkeypatch.setattr(watch, "_PAUSE", 0.05)
    monkeypatch.setattr(watch, "_REPEAT", 0.2)


@pytest.mark.usefixtures("hurried")
def test_an_index_built_concurrently_says_whom_it_waits_for(config: str, postgres_url: str) -> None:
    next_revision(config, CONCURRENTLY)
    with (
        session(postgres_url, "DELETE FROM animals WHERE id = 1") as writer,
        told(lambda lines: len(lines) == 2 and writer.rollback()) as lines,
    ):
        pid = writer.info.backend_pid
        assert engine(config, postgres_url).upgrade().after == ("002",)
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("Waiting for 0 s: ")
        assert f" pid {pid} (reporting), idle in transaction, in a transaction since 2" in line
        assert "DELETE FROM animals WHERE id …. The statement: CREATE INDEX CONCURRENTLY ix_animals_id" in line
    assert ask(postgres_url, BUILT)


@pytest.mark.usefixtures("hurried")
def test_a_prepared_transaction_is_named_as_what_it_is(config: str, postgres_url: str) -> None:
    if ask(postgres_url, "SHOW max_prepared_transactions") == "0":
        pytest.skip("the server at TEST_DATABASE_URL takes no prepared transactions")
    name = f"left over in {postgres_url.rpartition('/')[2]}"
    with session(postgres_url, "SELECT id FROM animals WHERE id = 1 FOR UPDATE") as somebody:
        somebody.cursor().execute(f"PREPARE TRANSACTION '{name}'")
    words = f"the prepared transaction '{name}' of "
    try:
        next_revision(config, "def upgrade():\n    op.drop_table('animals')")
        with pytest.raises(LockError) as blocked:
            engine(config, postgres_url, retry_for=0).upgrade()
        assert_says(str(blocked.value), "step-blocked", words, consequence="rolled back")
        next_revision(config, A_ROW)
        with told(lambda lines: execute(postgres_url, f"ROLLBACK PREPARED '{name}'")) as lines:
            assert engine(config, postgres_url, lock_timeout=60_000).upgrade().after == ("002",)
        assert words in lines[0]
    finally:
        if ask(postgres_url, f"SELECT count(*) FROM pg_prepared_xacts WHERE gid = '{name}'"):
            execute(postgres_url, f"ROLLBACK PREPARED '{name}'")


@pytest.mark.parametrize("case", FOR_ITSELF)
def test_a_revision_that_waits_for_itself_is_told_at_once(
    forks: Forks, config: str, postgres_url: str, case: str
) -> None:
    limit = "" if case == "the other way round" else "lock_timeout = 60_000"  # longer than the test
    lines = "\n    ".join(FOR_ITSELF[case])
    next_revision(config, f"import psycopg2\n{limit}\n\n\ndef upgrade():\n    {lines}")
    (result,) = forks.run(Job(["upgrade"], config, postgres_url), timeout=30)
    assert result.code == 2
    error = result.stderr.partition("error: ")[2]
    fact = "Revision 002 (002_step.py) waits for itself: on a second connection"
    assert_says(error, "step-waits-for-itself", fact, "op.get_bind()", consequence="the database is at 001")
    statement = error.partition("The statement: ")[2].splitlines()[0].upper()
    assert statement.startswith(("SELECT * FROM PLANTS", "DROP TABLE PLANTS", "UPDATE ANIMALS"))
    assert (heads(postgres_url), ask(postgres_url, "SELECT count(*) FROM plants")) == (["001"], 0)


@pytest.mark.usefixtures("hurried")
def test_a_second_connection_that_waits_for_somebody_else_is_left_alone(config: str, postgres_url: str) -> None:
    next_revision(config, WAITS_FOR_SOMEBODY)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LOCK TABLE animals' AND clock_timestamp() - query_start > '0.5 s'"
    with session(postgres_url, "SELECT * FROM animals") as reader, ThreadPoolExecutor(1) as thread:
        report = thread.submit(engine(config, postgres_url).upgrade)
        until(lambda: ask(postgres_url, waits))
        reader.rollback()
        assert report.result().after == ("002",)
