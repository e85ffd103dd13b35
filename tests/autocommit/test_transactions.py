"""A transaction that a block opens counts at its end, whichever that is."""

from pathlib import Path

import pytest

from tests.autocommit.blocks import at_001, block, fails, left
from tests.kit.database import execute, heads, logged, tables

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
