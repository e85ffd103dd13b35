"""A database ahead of the code goes back by the text that the log keeps: shown, asked about, and only if it is the one that ran."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from migrator import HistoryError, Migrator
from tests.kit import ROOT
from tests.kit.assertions import assert_refused
from tests.kit.database import execute, heads, logged, state, tables
from tests.kit.fork_server import Forks, Job
from tests.kit.processes import Result
from tests.kit.projects import ANIMALS, PLANTS, STONES, miniature, revision_path
from tests.kit.warm.environment import clean_environment

BODIES = [body.rstrip() + "  # näher\n" for body in (ANIMALS, PLANTS, STONES)]


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Migrator:
    """A project whose database is at 003 and whose files end with 001."""
    made = Migrator(miniature(tmp_path / "project", *BODIES), database_url=database_url)
    made.upgrade()
    for revision in ("002", "003"):
        revision_path(made.path, revision).unlink()
    return made


def test_with_yes_it_goes_back_below_the_newest_file(engine: Migrator, forks: Forks, database_url: str) -> None:
    (result,) = forks.run(Job(["downgrade", "001", "--yes"], str(engine.path), database_url))
    assert result.code == 0, result
    for revision, table in (("003", "stones"), ("002", "plants")):
        assert f"--- revision {revision}, as it was applied; its file is gone" in result.stderr
        assert f'op.drop_table("{table}")  # näher' in result.stderr
    assert (heads(database_url), tables(database_url)) == (["001"], {"alembic_version", "migration_log", "animals"})
    assert logged(database_url)[-2:] == ["downgrade 003", "downgrade 002"]
    assert "stones" in str(engine.log(2)[1].source)
    engine.upgrade()


@pytest.mark.parametrize(("target", "at"), [("-1", ["002"]), ("-2", ["001"]), ("base", [])])
def test_the_api_takes_it_back_when_told_to(engine: Migrator, database_url: str, target: str, at: list[str]) -> None:
    before = state(database_url)
    with pytest.raises(HistoryError) as refused:
        engine.downgrade(target)
    assert refused.value.code == "database-ahead"
    assert list(refused.value.fields["texts"]) == ["003", "002"]
    assert state(database_url) == before
    engine.downgrade(target, run_stored=True)
    assert heads(database_url) == at


def test_without_a_terminal_and_without_yes_it_is_shown_and_refused(
    engine: Migrator, forks: Forks, database_url: str
) -> None:
    (result,) = forks.run(Job(["downgrade"], str(engine.path), database_url))
    assert (result.code, result.stdout) == (2, "")
    assert 'op.drop_table("stones")' in result.stderr
    assert "docs/errors.md#database-ahead" in result.stderr
    assert heads(database_url) == ["003"]


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_on_a_terminal_it_asks(engine: Migrator, database_url: str, tmp_path: Path, answer: str) -> None:
    result = typed(engine, database_url, tmp_path, answer)
    assert "[y/N] " in result.stderr
    assert result.stderr.index('op.drop_table("stones")') < result.stderr.index("[y/N]")
    assert (result.code, heads(database_url)) == ((0, ["002"]) if answer == "y" else (2, ["003"]))


def typed(engine: Migrator, url: str, home: Path, answer: str) -> Result:
    """Run `downgrade` with a terminal for its standard input, into which the answer is typed."""
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    try:
        done = subprocess.run(
            [sys.executable, ROOT / "migrate.py", "-c", engine.path, "--database-url", url, "downgrade"],
            env=clean_environment(home),
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        os.close(keyboard)
        os.close(terminal)
    return Result(done.returncode, done.stdout, done.stderr)


def test_a_text_that_is_not_the_one_that_ran_is_refused(engine: Migrator, forks: Forks, database_url: str) -> None:
    execute(
        database_url, "UPDATE migration_log SET source = replace(source, 'drop_table', 'other') WHERE revision = '002'"
    )
    for options in ([], ["--yes"]):
        (result,) = forks.run(Job(["downgrade", *options], str(engine.path), database_url))
        assert_refused(result, "stored-text-changed", "revision 002", consequence="The text was not run.")
    assert heads(database_url) == ["003"]


def test_a_head_that_the_log_does_not_know_is_refused(engine: Migrator, database_url: str) -> None:
    execute(database_url, "DELETE FROM migration_log WHERE revision = '003'")
    with pytest.raises(HistoryError) as refused:
        engine.downgrade(run_stored=True)
    assert refused.value.code == "database-unknown-revision"


def test_the_stored_text_of_an_older_run_of_the_same_revision_is_not_used(
    engine: Migrator, forks: Forks, database_url: str, tmp_path: Path
) -> None:
    engine.downgrade("001", run_stored=True)
    again = Migrator(
        miniature(tmp_path / "newer", BODIES[0], BODIES[1].replace("näher", "newer")), database_url=database_url
    )
    again.upgrade()
    (result,) = forks.run(Job(["downgrade", "--yes"], str(engine.path), database_url))
    assert (result.code, "newer" in result.stderr, "näher" in result.stderr) == (0, True, False)


def test_what_is_above_the_files_is_still_in_the_log_as_json(engine: Migrator, forks: Forks, database_url: str) -> None:
    (result,) = forks.run(Job(["log", "--json", "--limit", "1"], str(engine.path), database_url))
    (entry,) = json.loads(result.stdout)
    assert (entry["revision"], entry["file"]) == ("003", "003_step.py")
    assert "op.drop_table" in entry["source"]
