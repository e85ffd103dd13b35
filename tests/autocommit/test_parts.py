"""What a block may have committed is never said to be rolled back: several in one text, parts, unseen work."""

from pathlib import Path

import pytest

from migrator.runner.repeatable import BEGUN, UNSEEN
from tests.autocommit.blocks import C, at_001, block, fails, left
from tests.kit.database import ask, execute, rows, tables
from tests.kit.projects import upgrading

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
