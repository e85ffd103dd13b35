"""What an error says of an `autocommit_block()` is what the database has: transactions of its own, several in one text, unseen work."""

import signal
from pathlib import Path
from textwrap import dedent, indent

import pytest

from migrator import Migrator, StepFailed
from migrator.runner.repeatable import BEGUN, UNSEEN
from tests.kit.database import ask, execute, heads, logged, rows, tables
from tests.kit.fork_server import Forks, Job
from tests.kit.projects import miniature, upgrading
from tests.postgresql.sessions import session

FIRST = upgrading("""
    op.create_table("t", sa.Column("id", sa.Integer, primary_key=True), sa.Column("c", sa.String(5)))
    op.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
""")
C = "SELECT c FROM t ORDER BY id"


def block(statements: str, *, own: str = "") -> str:
    """The body of a revision that does this in a block."""
    return upgrading(
        f"with op.get_context().autocommit_block():\n{indent(dedent(statements).strip(), '    ')}", own=own
    )


def at_001(directory: Path, url: str, body: str) -> Migrator:
    """An engine whose second revision is pending."""
    engine = Migrator(miniature(directory / "project", FIRST, body), database_url=url)
    engine.upgrade("001")
    return engine


def fails(engine: Migrator) -> StepFailed:
    with pytest.raises(StepFailed) as failed:
        engine.upgrade()
    return failed.value


def left(failed: StepFailed) -> list[str]:
    """What the error says is there; nothing if it says that the step was rolled back."""
    listed = list(failed.fields.get("committed", ()))
    assert ("was rolled back; the database is at 001" in str(failed)) == (not listed), failed
    return listed


OPENED = {
    "committed": ("BEGIN", ["CREATE TABLE a (x int)"], "COMMIT", ["CREATE TABLE a (x int)"]),
    "rolled back": ("BEGIN", ["CREATE TABLE a (x int)"], "ROLLBACK", []),
    "rolled back to a savepoint": (
        "BEGIN",
        ["CREATE TABLE a (x int)", "SAVEPOINT s", "CREATE TABLE c (x int)", "ROLLBACK TO s"],
        "COMMIT",
        ["CREATE TABLE a (x int)"],
    ),
}


@pytest.mark.parametrize(("begin", "inside", "end", "kept"), OPENED.values(), ids=OPENED)
def test_a_transaction_that_a_block_opens_counts_at_its_end(
    database_url: str, tmp_path: Path, begin: str, inside: list[str], end: str, kept: list[str]
) -> None:
    statements = [begin, *inside, end, "CREATE TABLE b (x int)", "CREATE TABLE d AS SELECT * FROM needed"]
    engine = at_001(tmp_path, database_url, block("\n".join(f"op.execute({text!r})" for text in statements)))
    assert left(fails(engine)) == [*kept, "CREATE TABLE b (x int)"]
    made = {text.split()[2] for text in kept} | {"b"}
    assert tables(database_url) & {"a", "b", "c", "d"} == made
    execute(database_url, "CREATE TABLE needed (q int)")
    assert engine.upgrade().after == ("002",)
    assert tables(database_url) & {"a", "b", "c", "d"} == made | {"d"}
    assert logged(database_url, "begun") == []


def test_what_fails_in_a_transaction_of_the_blocks_was_not_committed(database_url: str, tmp_path: Path) -> None:
    body = block("""
        op.execute("BEGIN")
        op.execute("CREATE TABLE a (x int)")
        op.execute("CREATE TABLE b AS SELECT * FROM needed")
        op.execute("COMMIT")
    """)
    engine = at_001(tmp_path, database_url, body)
    assert left(fails(engine)) == []
    assert "a" not in tables(database_url)
    execute(database_url, "CREATE TABLE needed (q int)")
    assert engine.upgrade().after == ("002",)
    assert tables(database_url) >= {"a", "b"}


def test_a_transaction_that_is_left_open_is_committed_with_the_block(database_url: str, tmp_path: Path) -> None:
    engine = at_001(tmp_path, database_url, block('op.execute("BEGIN")\nop.execute("CREATE TABLE a (x int)")'))
    assert engine.upgrade().after == ("002",)
    assert "a" in tables(database_url)


def test_a_commit_that_rolls_back_is_an_error(postgres_url: str, tmp_path: Path) -> None:
    body = block("""
        op.execute("BEGIN")
        op.execute("CREATE TABLE a (x int)")
        try:
            op.execute("CREATE TABLE b AS SELECT * FROM needed")
        except sa.exc.ProgrammingError:
            pass
        op.execute("COMMIT")
    """)
    failed = fails(at_001(tmp_path, postgres_url, body))
    assert (failed.code, left(failed), "a" in tables(postgres_url)) == ("step-commit-failed", [], False)
    assert heads(postgres_url) == ["001"]


@pytest.mark.parametrize("then", ["raise ValueError('then')", "op.execute('SELECT 1 FROM needed')"])
def test_what_a_nested_transaction_rolls_back_is_not_there(sqlite_url: str, tmp_path: Path, then: str) -> None:
    body = block(f"""
        with op.get_bind().begin_nested():
            op.execute("CREATE TABLE a (x)")
            {then}
    """)
    assert left(fails(at_001(tmp_path, sqlite_url, body))) == []
    assert "a" not in tables(sqlite_url)


SEVERAL = {
    "after SET": "SET lock_timeout = '1s'; UPDATE t SET c = c || 'x'",
    "in BEGIN": "BEGIN; UPDATE t SET c = c || 'x'; COMMIT",
    "after a query": "SELECT 1; UPDATE t SET c = c || 'x'",
    "behind a literal": r"SELECT E'\''; UPDATE t SET c = c || 'x'",
}


@pytest.mark.parametrize("text", SEVERAL.values(), ids=SEVERAL)
def test_several_statements_are_never_taken_for_harmless(postgres_url: str, tmp_path: Path, text: str) -> None:
    engine = at_001(tmp_path, postgres_url, block(f"op.execute({text!r})\nop.execute('SELECT 1 FROM needed')"))
    failed = fails(engine)
    assert (failed.code, left(failed)) == ("step-failed-unresumable", [text])
    execute(postgres_url, "CREATE TABLE needed (q int)")
    assert fails(engine).code == "step-interrupted"
    assert rows(postgres_url, C) == ["ax", "bx"]


def test_several_statements_that_commit_outside_of_a_block_are_listed(postgres_url: str, tmp_path: Path) -> None:
    text = "SET LOCAL lock_timeout = '1s'; CREATE TABLE a (x int); COMMIT"
    failed = fails(at_001(tmp_path, postgres_url, upgrading(f"op.execute({text!r})")))
    assert (failed.code, "a" in tables(postgres_url)) == ("step-committed", True)
    assert left(failed) == [BEGUN + text]


IN_PARTS = {
    "DO": "op.execute(\"DO $$ BEGIN UPDATE t SET c = c || 'x'; COMMIT; PERFORM 1 FROM needed; END $$\")",
    "several": "op.execute(\"UPDATE t SET c = c || 'x'; COMMIT; SELECT 1 FROM needed\")",
    "many": """op.get_bind().execute(
        sa.text("UPDATE t SET c = c || :c WHERE id = :i"), [{"c": "x", "i": 1}, {"c": "toolong", "i": 2}])""",
}


@pytest.mark.parametrize("statement", IN_PARTS.values(), ids=IN_PARTS)
def test_a_failed_statement_that_commits_in_parts_may_have_left_some(
    postgres_url: str, tmp_path: Path, statement: str
) -> None:
    engine = at_001(tmp_path, postgres_url, block(statement))
    failed = fails(engine)
    assert (failed.code, len(left(failed))) == ("step-failed-unresumable", 1)
    assert left(failed)[0].startswith(BEGUN)
    assert rows(postgres_url, C)[0] == "ax"
    execute(postgres_url, "CREATE TABLE needed (q int)", "ALTER TABLE t ALTER c TYPE text")
    assert fails(engine).code == "step-interrupted"
    assert rows(postgres_url, C)[0] == "ax"


LEAVES_ROWS = {
    "OR FAIL": ("op.execute(\"INSERT OR FAIL INTO t VALUES (3, 'c'), (1, 'd')\")", 3),
    "many": (
        'op.bulk_insert(sa.table("t", sa.column("id"), sa.column("c")), [{"id": 3, "c": "c"}, {"id": 1, "c": "d"}])',
        3,
    ),
    "neither": ("op.execute(\"INSERT INTO t VALUES (3, 'c'), (1, 'd')\")", 2),
}


@pytest.mark.parametrize(("statement", "count"), LEAVES_ROWS.values(), ids=LEAVES_ROWS)
def test_sqlite_says_what_a_failed_statement_has_left(
    sqlite_url: str, tmp_path: Path, statement: str, count: int
) -> None:
    failed = fails(at_001(tmp_path, sqlite_url, block(statement)))
    assert (ask(sqlite_url, "SELECT count(*) FROM t"), bool(left(failed))) == (count, count == 3)


RAW = {
    "rows, then an error": "op.get_bind().connection.cursor().execute(\"UPDATE t SET c = c || 'x'\")\nraise ValueError('then')",
    "a table, then a statement": "op.get_bind().connection.cursor().execute('CREATE TABLE a (x int)')\nop.execute('SELECT 1 FROM needed')",
    "between statements": """op.execute('CREATE TABLE a (x int)')
op.get_bind().connection.cursor().execute("UPDATE t SET c = c || 'x'")
op.execute('CREATE TABLE b (x int)')
op.execute('SELECT 1 FROM needed')""",
}


@pytest.mark.parametrize("statements", RAW.values(), ids=RAW)
def test_unseen_work_is_never_said_to_be_rolled_back(database_url: str, tmp_path: Path, statements: str) -> None:
    engine = at_001(tmp_path, database_url, block(statements))
    failed = fails(engine)
    assert failed.code == "step-failed-unresumable"
    assert UNSEEN in left(failed)
    execute(database_url, "CREATE TABLE needed (q int)")
    assert fails(engine).code == "step-interrupted"


def test_a_block_whose_work_was_all_seen_is_said_to_be_rolled_back(database_url: str, tmp_path: Path) -> None:
    body = block("""
        op.get_bind().execute(sa.text("SELECT c FROM t")).all()
        sa.inspect(op.get_bind()).get_columns("t")
        op.execute("SELECT 1 FROM needed")
    """)
    assert left(fails(at_001(tmp_path, database_url, body))) == []


def test_what_a_pragma_changes_for_good_is_listed(sqlite_url: str, tmp_path: Path) -> None:
    pragmas = ["PRAGMA user_version = 7", "PRAGMA journal_mode = wal"]
    lines = "\n".join(f"op.execute({text!r})" for text in ["PRAGMA cache_size = 100", *pragmas])
    engine = at_001(tmp_path, sqlite_url, block(f"{lines}\nop.execute('SELECT 1 FROM needed')"))
    assert left(fails(engine)) == pragmas
    assert ask(sqlite_url, "PRAGMA user_version") == 7
    execute(sqlite_url, "CREATE TABLE needed (q int)")
    assert engine.upgrade().after == ("002",)


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
