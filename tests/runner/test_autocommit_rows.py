"""What changes rows in an `autocommit_block()` is never taken for reading, and never done a second time unasked."""

import io
import signal
import sys
from pathlib import Path

import pytest

from migrator import Migrator, StepFailed
from migrator.cli.main import main
from migrator.runner.repeatable import BEGUN, is_harmless, is_query, is_repeatable
from tests.kit.assertions import assert_says
from tests.kit.database import ask, execute, heads, logged
from tests.kit.fork_server import Forks, Job
from tests.kit.projects import miniature, upgrading

FIRST = upgrading("""
    op.execute("CREATE TABLE counters (id INTEGER, n INTEGER)")
    op.execute("INSERT INTO counters VALUES (1, 100)")
""")
FUNCTION = """CREATE FUNCTION "Count"() RETURNS integer LANGUAGE sql AS 'UPDATE counters SET n = n + 1 RETURNING n'"""
IN_A_BLOCK = {
    "a WITH": ("database_url", "WITH one AS (SELECT 1 AS n) UPDATE counters SET n = n + (SELECT n FROM one)"),
    "a comment": ("database_url", "-- SELECT\nUPDATE counters SET n = n + 1"),
    "a WITH that returns": ("postgres_url", "WITH up AS (UPDATE counters SET n = n + 1 RETURNING n) SELECT n FROM up"),
    "a function": ("postgres_url", """SELECT 1, "Count" () -- it counts"""),
    "EXPLAIN ANALYZE": ("postgres_url", "EXPLAIN (ANALYZE) UPDATE counters SET n = n + 1"),
    "two in one text": ("postgres_url", "CREATE TABLE others (id INTEGER); UPDATE counters SET n = n + 1"),
}


@pytest.mark.parametrize(("fixture", "statement"), IN_A_BLOCK.values(), ids=IN_A_BLOCK)
@pytest.mark.parametrize("before", [True, False], ids=["before the block", "in the block"])
def test_rows_are_changed_once(
    request: pytest.FixtureRequest, tmp_path: Path, fixture: str, statement: str, before: bool
) -> None:
    if fixture == "database_url":
        fixture = "sqlite_url" if before else "postgres_url"
    url = request.getfixturevalue(fixture)
    change = f"op.execute(sa.text({statement!r}))"
    block = f"with op.get_context().autocommit_block():\n    {'pass' if before else change}\n"
    body = upgrading(f"{change if before else ''}\n{block}\nraise KeyError('after the block')")
    config = miniature(tmp_path / "project", FIRST, body)
    engine = Migrator(config, database_url=url)
    engine.upgrade("001")
    if fixture == "postgres_url":
        execute(url, FUNCTION)
    for code in ("step-failed-unresumable", "step-interrupted"):
        with pytest.raises(StepFailed) as failed:
            engine.upgrade()
        kept = "The version table still says 001, and statements that it committed before it failed remain."
        assert_says(str(failed.value), code, consequence=kept if code == "step-failed-unresumable" else "")
        assert ask(url, "SELECT n FROM counters") == 101
    assert heads(url) == ["001"]


ONCE = {
    "USING": ("ALTER TABLE counters ALTER COLUMN n TYPE integer USING n * 100", "SELECT n FROM counters", 10000),
    "an index without a name": (
        "CREATE INDEX ON counters (n)",
        "SELECT count(*) FROM pg_indexes WHERE tablename = 'counters'",
        1,
    ),
    "a key without a name": (
        "ALTER TABLE counters ADD CHECK (n > 0)",
        "SELECT count(*) FROM pg_constraint WHERE conrelid = 'counters'::regclass AND contype = 'c'",
        1,
    ),
}


@pytest.mark.parametrize(("statement", "question", "once"), ONCE.values(), ids=ONCE)
def test_a_statement_whose_end_was_not_seen_is_not_executed_again_where_that_does_harm(
    forks: Forks, postgres_url: str, tmp_path: Path, statement: str, question: str, once: int
) -> None:
    body = f"""
def die(cursor, statement, parameters, context):
    if statement == {statement!r}:
        cursor.execute(statement)
        os.kill(os.getpid(), signal.SIGKILL)


def upgrade():
    if "DIE" in os.environ:
        sa.event.listen(op.get_bind().engine, "do_execute", die)
    with op.get_context().autocommit_block():
        op.execute({statement!r})
"""
    config = miniature(tmp_path / "project", FIRST, body)
    (killed,) = forks.run(Job(["upgrade"], config, postgres_url, environment={"DIE": "1"}))
    assert killed.code == -signal.SIGKILL, killed
    with pytest.raises(StepFailed) as refused:
        Migrator(config, database_url=postgres_url).upgrade()
    assert refused.value.code == "step-interrupted"
    assert refused.value.fields["committed"] == (f"{BEGUN}{statement}",)
    assert (ask(postgres_url, question), logged(postgres_url, "failed")) == (once, [])


def test_what_only_reads_is_known() -> None:
    assert all(
        map(
            is_query,
            ["SELECT 1", " select 'UPDATE' -- INTO", 'WITH a AS (SELECT 1) SELECT "update" FROM a', "EXPLAIN SELECT 1"],
        )
    )
    assert not any(
        map(
            is_query,
            ["SELECT 1 INTO t", "EXPLAIN ANALYZE SELECT 1", "WITH a AS (DELETE FROM t) SELECT 1", "DO $$ SELECT $$"],
        )
    )
    assert all(map(is_harmless, ["SET x = 1", "PRAGMA y", "savepoint a", "ROLLBACK;"]))
    assert not any(map(is_harmless, ["SETTLE", "UPDATE t SET a = 1", ""]))


def test_what_may_be_resumed_is_known() -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = 1; END"
    body = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $x$ UPDATE a SET b = 1; SELECT 1; $x$"
    for statements in (
        [],
        ["CREATE TABLE a (id int);"],
        [trigger],
        [body],
        ["ALTER TABLE a ADD b int", f"{BEGUN}DROP TABLE c"],
    ):
        assert is_repeatable(statements), statements
    for statements in (
        ["CREATE TABLE a (id int); UPDATE b SET c = 1"],
        [f"{BEGUN}DROP TABLE c", "DROP TABLE d"],
        [f"{BEGUN}ALTER TABLE a RENAME TO b"],
        [f"{BEGUN}ALTER TABLE a ADD COLUMN n int DEFAULT nextval ('s')"],
        ["INSERT INTO a VALUES (1)"],
    ):
        assert not is_repeatable(statements), statements


def test_whoever_cannot_edit_the_file_may_say_on_the_command_line_that_it_runs_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = upgrading("""
        op.execute("UPDATE counters SET n = n + 1")
        with op.get_context().autocommit_block():
            if "MENDED" not in os.environ:
                raise KeyError("in the block")
    """)
    config = miniature(tmp_path / "project", FIRST, body)
    engine = Migrator(config, database_url=database_url)
    for code in ("step-failed-unresumable", "step-interrupted"):
        with pytest.raises(StepFailed) as failed:
            engine.upgrade()
        assert failed.value.code == code
    assert "python migrate.py upgrade --rerun-interrupted" in str(failed.value)
    monkeypatch.setenv("MENDED", "1")
    assert engine.upgrade(rerun_interrupted=True).after == ("002",)
    assert (ask(database_url, "SELECT n FROM counters"), logged(database_url, "begun")) == (102, [])


def test_on_a_terminal_it_is_asked(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = upgrading("""
        op.execute("UPDATE counters SET n = n + 1")
        with op.get_context().autocommit_block():
            if "MENDED" not in os.environ:
                raise KeyError("in the block")
    """)
    config = miniature(tmp_path / "project", FIRST, body)
    with pytest.raises(StepFailed):
        Migrator(config, database_url=sqlite_url).upgrade()
    monkeypatch.setenv("MENDED", "1")
    arguments = ["upgrade", "--database-url", sqlite_url]
    for answer, code, n in (("n\n", 2, 101), ("y\n", 0, 102)):
        stdin = io.StringIO(answer)
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(arguments, config=Path(config)) == code
        said = capsys.readouterr().err
        assert "\n  - UPDATE counters SET n = n + 1\n" in said
        assert "Continue? [y/N] " in said
        assert ask(sqlite_url, "SELECT n FROM counters") == n
    assert main(["downgrade", "--database-url", sqlite_url, "--rerun-interrupted"], config=Path(config)) == 0


CAUSES = {
    "a text that is not UTF-8": 'raise ValueError("lone \\udce4")',
    "a zero byte": 'raise ValueError("nul \\0")',
    "no text at all": "class Silent(Exception):\n    def __str__(self):\n        raise KeyError\nraise Silent",
}


@pytest.mark.parametrize("statement", CAUSES.values(), ids=CAUSES)
def test_any_error_can_be_told_and_kept(database_url: str, tmp_path: Path, statement: str) -> None:
    config = miniature(tmp_path / "project", FIRST, upgrading(statement))
    with pytest.raises(StepFailed) as failed:
        Migrator(config, database_url=database_url).upgrade()
    assert str(failed.value).encode()
    assert (failed.value.code, logged(database_url, "failed")) == ("step-failed", ["002"])


def test_a_cause_that_is_not_in_the_file_is_told_as_such(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(
        tmp_path / "project",
        FIRST,
        upgrading('op.execute("SET LOCAL ROLE pg_monitor")\nop.execute("DROP TABLE counters")'),
    )
    with pytest.raises(StepFailed) as failed:
        Migrator(config, database_url=postgres_url).upgrade()
    assert_says(
        str(failed.value), "step-failed-outside", "The cause is not in the file. Grant the role what it lacks",
        consequence="The upgrade of 002 was rolled back; the database is at 001.",
    )  # fmt: skip


def test_a_full_disk_is_no_fault_of_the_file(sqlite_url: str, tmp_path: Path) -> None:
    body = 'op.execute("PRAGMA max_page_count = 1")\nop.execute("CREATE TABLE big AS SELECT randomblob(100000) AS b")'
    config = miniature(tmp_path / "project", FIRST, upgrading(body))
    with pytest.raises(StepFailed) as failed:
        Migrator(config, database_url=sqlite_url).upgrade()
    assert (failed.value.code, "Free some space" in str(failed.value)) == ("step-failed-outside", True)
