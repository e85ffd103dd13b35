"""A revision with an autocommit_block() that ends inside it: the next run says what is there, and goes on where that is safe."""

import signal
from pathlib import Path

import pytest

from migrator import Migrator, StepFailed
from tests.kit.database import execute, heads, indexes, logged, rows, tables
from tests.kit.fork_server import Forks, Job
from tests.kit.processes import Result
from tests.kit.projects import miniature, write_revisions

AT = """
def at(spot):
    if os.environ.get("DIE") == spot:
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("FAIL") == spot:
        raise RuntimeError(f"failed {spot}")
"""
BLOCK = f"""{AT}

def dies_at_the_statement():
    def execute(cursor, statement, parameters, context):
        if "ix_one ON" in statement:
            at("before the statement")
            cursor.execute(statement, parameters)
            at("after the statement")
            return True

    sa.event.listen(op.get_bind().engine, "do_execute", execute)

def upgrade():
    dies_at_the_statement()
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    at("before the block")
    with op.get_context().autocommit_block():
        at("in the block")
        op.create_index("ix_one", "animals", ["name"])
        at("between")
        op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
    at("after the block")
    op.create_index("ix_two", "animals", ["id", "name"])
    at("at the end")


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_table("animals")
        at("going down")
        op.drop_table("plants")
"""
TABLE = "CREATE TABLE animals ("
ONE = "CREATE INDEX ix_one ON animals (name)"
PLANTS = "CREATE TABLE plants ("
WHAT_IS_THERE = {
    "before the block": [],
    "in the block": [TABLE],
    "before the statement": [TABLE, f"begun: {ONE}"],
    "after the statement": [TABLE, f"begun: {ONE}"],
    "between": [TABLE, ONE],
    "after the block": [TABLE, ONE, PLANTS],
    "at the end": [TABLE, ONE, PLANTS],
}
ROWS = f"""{AT}

def upgrade():
    op.execute("CREATE TABLE IF NOT EXISTS animals (name TEXT)")
    op.execute("INSERT INTO animals VALUES ('ant')")
    with op.get_context().autocommit_block():
        at("in the block")
"""


def killed(forks: Forks, config: str, url: str, spot: str, *arguments: str) -> None:
    """Run the engine until it kills itself there."""
    (result,) = forks.run(Job(arguments or ["upgrade"], config, url, environment={"DIE": spot}))
    assert result.code == -signal.SIGKILL, result


def again(forks: Forks, config: str, url: str, *arguments: str, **environment: str) -> Result:
    (result,) = forks.run(Job(arguments or ["upgrade"], config, url, environment=environment))
    return result


def assert_whole(url: str) -> None:
    assert tables(url) == {"alembic_version", "migration_log", "animals", "plants"}
    assert (indexes(url, "animals"), heads(url)) == ({"ix_one", "ix_two"}, ["001"])
    assert (logged(url), logged(url, "begun")) == (["001"], [])


@pytest.mark.parametrize("spot", WHAT_IS_THERE)
def test_killed_anywhere_it_says_what_is_there_and_goes_on(
    forks: Forks, database_url: str, tmp_path: Path, spot: str
) -> None:
    config = miniature(tmp_path / "animals", BLOCK)
    killed(forks, config, database_url, spot)
    result = again(forks, config, database_url)
    assert result.code == 0, result
    said = [line for line in result.stderr.splitlines() if line.startswith("001 was interrupted at ")]
    assert len(said) == bool(WHAT_IS_THERE[spot])
    for line in said:
        listed = line.partition("is resumed after: ")[2].split("; ")
        assert len(listed) == len(WHAT_IS_THERE[spot])
        assert all(text.startswith(known) for text, known in zip(listed, WHAT_IS_THERE[spot], strict=True))
    assert_whole(database_url)


def test_one_that_fails_after_its_block_says_what_is_committed_and_goes_on_from_there(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Migrator(miniature(tmp_path / "animals", BLOCK), database_url=database_url)
    monkeypatch.setenv("FAIL", "at the end")
    for _ in range(2):
        with pytest.raises(StepFailed, match="failed at the end") as failed:
            engine.upgrade()
        assert failed.value.code == "step-failed-partly"
        listed = [line[4:] for line in str(failed.value).splitlines() if line.startswith("  - ")]
        assert len(listed) == 3
        assert all(map(str.startswith, listed, WHAT_IS_THERE["at the end"]))
        assert indexes(database_url, "animals") == {"ix_one"}
        assert heads(database_url) == []
    monkeypatch.delenv("FAIL")
    engine.upgrade()
    assert_whole(database_url)
    assert [len(statements) for statements in failed_statements(engine)] == [3, 3]


def failed_statements(engine: Migrator) -> list[list[str]]:
    return [entry.statements or [] for entry in engine.log() if entry.outcome == "failed"]


def test_killed_on_its_way_down_it_goes_on_down(forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "animals", BLOCK)
    Migrator(config, database_url=database_url).upgrade()
    killed(forks, config, database_url, "going down", "downgrade")
    assert (heads(database_url), "plants" in tables(database_url)) == (["001"], True)
    result = again(forks, config, database_url, "downgrade")
    assert result.code == 0, result
    assert "is resumed after: DROP TABLE animals" in result.stderr
    assert (heads(database_url), tables(database_url)) == ([], {"alembic_version", "migration_log"})


def test_rows_that_were_changed_before_the_block_are_not_changed_twice(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path / "animals", ROWS)
    killed(forks, config, database_url, "in the block")
    result = again(forks, config, database_url)
    assert result.code == 2
    assert "interrupted inside an autocommit_block()" in result.stderr
    assert "\n  - INSERT INTO animals VALUES ('ant')\n" in result.stderr
    assert "docs/errors.md#step-interrupted" in result.stderr
    assert rows(database_url, "SELECT name FROM animals") == ["ant"]
    write_revisions(tmp_path / "animals", [f"rerunnable = True\n{ROWS}"])
    assert again(forks, config, database_url).code == 0
    assert rows(database_url, "SELECT name FROM animals") == ["ant", "ant"]
    assert logged(database_url, "begun") == []


def test_a_file_that_was_edited_in_between_is_refused(forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "animals", BLOCK)
    killed(forks, config, database_url, "between")
    write_revisions(tmp_path / "animals", [BLOCK.replace("ix_two", "ix_three")])
    result = again(forks, config, database_url)
    assert (result.code, "docs/errors.md#step-interrupted" in result.stderr) == (2, True)
    assert f"\n  - {ONE}\n" in result.stderr
    write_revisions(tmp_path / "animals", [BLOCK])
    assert again(forks, config, database_url).code == 0
    assert_whole(database_url)


def test_a_revision_that_does_something_else_the_second_time_is_refused(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    body = BLOCK.replace('"ix_one"', 'os.environ.get("NAME", "ix_one")')
    config = miniature(tmp_path / "animals", body)
    killed(forks, config, database_url, "between")
    result = again(forks, config, database_url, NAME="ix_other")
    assert (result.code, "docs/errors.md#step-changed" in result.stderr) == (2, True)
    assert indexes(database_url, "animals") == {"ix_one"}
    assert again(forks, config, database_url).code == 0
    assert_whole(database_url)


def test_a_stamp_says_that_somebody_has_finished_it(forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "animals", BLOCK, "def upgrade():\n    pass")
    killed(forks, config, database_url, "between")
    execute(database_url, PLANTS + "id INTEGER)", "CREATE INDEX ix_two ON animals (id, name)")
    assert again(forks, config, database_url, "stamp", "001", "--no-verify").code == 0
    assert logged(database_url, "begun") == []
    assert again(forks, config, database_url).code == 0
    assert logged(database_url) == ["stamp 001", "002"]


def test_what_was_interrupted_comes_before_everything_else(forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "animals", "def upgrade():\n    pass", BLOCK)
    killed(forks, config, database_url, "between")
    result = again(forks, config, database_url, "downgrade", "base")
    assert (result.code, "docs/errors.md#step-interrupted-before" in result.stderr) == (2, True)
    assert heads(database_url) == ["001"]
    assert again(forks, config, database_url).code == 0
    killed(forks, config, database_url, "going down", "downgrade", "001")
    for command in ("upgrade", "status"):
        result = again(forks, config, database_url, command)
        assert "The downgrade of 002 started at " in result.stderr, result
        assert "was interrupted; `downgrade` resumes it" in result.stderr
    assert again(forks, config, database_url, "downgrade", "001").code == 0
