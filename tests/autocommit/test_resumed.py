"""What is executed again, what is left out, and what is limited."""

import signal
from pathlib import Path

import pytest

from migrator.runner.repeatable import BEGUN
from tests.autocommit.blocks import at_001, block, fails, left
from tests.kit.database import ask, execute, heads, tables
from tests.kit.fork_server import Forks, Job
from tests.postgresql.sessions import session


def test_a_rebuild_that_failed_on_a_row_is_resumed(sqlite_url: str, tmp_path: Path) -> None:
    body = block("""
        op.execute("CREATE TABLE a (x int)")
        with op.batch_alter_table("t") as batch:
            batch.create_check_constraint("ck", "id < 2")
    """)
    engine = at_001(tmp_path, sqlite_url, body)
    for _ in range(2):
        assert left(fails(engine)) == ["CREATE TABLE a (x int)"]
    execute(sqlite_url, "DELETE FROM t WHERE id = 2")
    assert engine.upgrade().after == ("002",)
    assert "CHECK (id < 2)" in ask(sqlite_url, "SELECT sql FROM sqlite_master WHERE name = 't'")


TEMPORARY = """
    op.execute("CREATE TEMP TABLE tmp (x int)")
    op.execute("CREATE TABLE a (x int)")
    op.execute("CREATE TABLE b AS SELECT * FROM needed, tmp")
"""


def test_a_temporary_table_is_made_again(database_url: str, tmp_path: Path) -> None:
    engine = at_001(tmp_path, database_url, block(TEMPORARY))
    assert left(fails(engine)) == ["CREATE TABLE a (x int)"]
    execute(database_url, "CREATE TABLE needed (q int)")
    assert engine.upgrade().after == ("002",)
    assert tables(database_url) >= {"a", "b"}


def test_a_temporary_table_is_made_again_by_another_attempt_of_the_same_run(
    forks: Forks, postgres_url: str, tmp_path: Path
) -> None:
    body = block(TEMPORARY.replace("CREATE TABLE b AS SELECT * FROM needed, tmp", "ALTER TABLE t ADD d int"))
    at_001(tmp_path, postgres_url, body)
    config = str(tmp_path / "project" / "alembic.ini")
    with session(postgres_url, "SELECT count(*) FROM t"):
        (process,) = forks.start(Job(["upgrade"], config, postgres_url, environment={"MIGRATOR_LOCK_TIMEOUT": "50"}))
        process.says("002 waits, attempt 2: ")
    result = process.wait()
    assert (result.code, heads(postgres_url)) == (0, ["002"]), result


@pytest.mark.parametrize("change", ["DROP COLUMN c", "RENAME COLUMN c TO e"])
def test_an_alter_whose_end_was_not_seen_is_known_by_the_databases_answer(
    forks: Forks, database_url: str, tmp_path: Path, change: str
) -> None:
    body = f"""
def die(cursor, statement, parameters, context):
    if statement == "ALTER TABLE t {change}":
        cursor.execute(statement)
        os.kill(os.getpid(), signal.SIGKILL)


def upgrade():
    if "DIE" in os.environ:
        sa.event.listen(op.get_bind().engine, "do_execute", die)
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE t {change}")
        op.execute("CREATE TABLE a (x int)")
"""
    engine = at_001(tmp_path, database_url, body)
    config = str(tmp_path / "project" / "alembic.ini")
    (killed,) = forks.run(Job(["upgrade"], config, database_url, environment={"DIE": "1"}))
    assert killed.code == -signal.SIGKILL, killed
    assert engine.upgrade().after == ("002",)
    assert "a" in tables(database_url)


def test_the_time_of_a_statement_is_limited_in_a_block_too(postgres_url: str, tmp_path: Path) -> None:
    body = block(
        """
        before = op.get_bind().exec_driver_sql("SHOW statement_timeout").scalar()
        assert before == "300ms", before
        op.execute("BEGIN")
        op.execute("SAVEPOINT s")
        op.execute("ROLLBACK")
        op.execute("CREATE TABLE a AS SELECT 1 AS x FROM pg_sleep(60)")
        """,
        own="statement_timeout = 300",
    )
    failed = fails(at_001(tmp_path, postgres_url, body))
    assert "canceling statement due to statement timeout" in str(failed)
    assert left(failed) == []


CONCURRENTLY = ["DROP INDEX CONCURRENTLY ix", "REINDEX INDEX CONCURRENTLY ix", "REINDEX (CONCURRENTLY) TABLE t"]
INVALID = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


@pytest.mark.parametrize("caught", [False, True], ids=["raised", "caught"])
@pytest.mark.parametrize("statement", CONCURRENTLY)
def test_an_index_that_was_left_invalid_is_told(
    postgres_url: str, tmp_path: Path, statement: str, caught: bool
) -> None:
    run = f"op.execute({statement!r})"
    if caught:
        run = f"try:\n    {run}\nexcept sa.exc.OperationalError:\n    pass"
    engine = at_001(tmp_path, postgres_url, block(run, own="statement_timeout = 500"))
    execute(postgres_url, "CREATE INDEX ix ON t (c)")
    with session(postgres_url, "SELECT count(*) FROM t"):
        failed = fails(engine)
    assert ask(postgres_url, INVALID) >= 1
    if caught:
        assert failed.code == "index-invalid"
    else:
        assert left(failed) == [BEGUN + statement]
    assert engine.upgrade().after == ("002",)
    assert ask(postgres_url, INVALID) == 0
