"""A revision, a model or env.py that ends the program: nothing half-done, and an exit code that does not say "done"."""

import asyncio
import logging
from pathlib import Path

import pytest

from migrator import HistoryError, Migrator
from migrator.cli.main import main
from tests.kit.assertions import assert_says
from tests.kit.database import heads, logged, state, tables
from tests.kit.fork_server import Forks, Job
from tests.kit.projects import ANIMALS, creates, miniature, revision_path

CANCELLED = creates("plants").replace(
    "\n\ndef downgrade", "    import asyncio\n    raise asyncio.CancelledError\n\n\ndef downgrade"
)
LEAVES = creates("plants").replace("\n\ndef downgrade", "    os._exit(0)\n\n\ndef downgrade")


def run(ini: str, url: str, *arguments: str) -> int:
    logging.root.handlers[:] = []
    return main(["--database-url", url, *arguments], config=Path(ini))


def test_a_cancelled_task_ends_a_command_with_2_and_reaches_a_program_as_it_is(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = miniature(tmp_path / "project", ANIMALS, CANCELLED)
    migrator = Migrator(ini, database_url=database_url)
    migrator.upgrade("001")
    before = state(database_url)
    assert run(ini, database_url, "upgrade") == 2
    said = capsys.readouterr()
    assert (said.out, "Traceback" in said.err) == ("", False)
    assert said.err == (
        "error: The command was ended by CancelledError, which env.py, a revision or a model raised.\n"
        "The upgrade of 002 was rolled back; the database is at 001.\n"
        "Check where the database is:\n  python migrate.py status\n"
    )
    with pytest.raises(asyncio.CancelledError) as cancelled:
        migrator.upgrade()
    assert cancelled.value.progress.at == ("001",)  # type: ignore[attr-defined]
    assert state(database_url) == before
    path = revision_path(Path(ini), "002")
    path.write_text(path.read_text().replace("    raise asyncio.CancelledError\n", ""))
    migrator.upgrade()
    assert logged(database_url) == ["001", "002"]


def test_sys_exit_outside_of_a_step_is_no_success(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = miniature(tmp_path / "project", ANIMALS)
    env = tmp_path / "project/migrations/env.py"
    text = env.read_text()
    env.write_text(f"import sys\nsys.exit(0)\n{text}")
    for command in ("upgrade", "status", "check"):
        assert run(ini, sqlite_url, command) == 2
        assert "error: The command was ended by SystemExit (0), which env.py" in capsys.readouterr().err
    env.write_text(text)
    with revision_path(Path(ini), "001").open("a") as file:
        file.write("\nraise SystemExit('run by hand only')\n")
    with pytest.raises(HistoryError) as refused:
        Migrator(ini, database_url=sqlite_url).upgrade()
    assert_says(str(refused.value), "revision-does-not-load", "run by hand only", "001_step.py")
    assert run(ini, sqlite_url, "heads", "--no-such-option") == 2
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_a_process_that_leaves_by_itself_saves_nothing_of_the_step(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    """The limit in docs/guarantees.md: nothing in the process can set the exit code then, so all that is left to keep is the database."""
    ini = miniature(tmp_path / "project", ANIMALS, LEAVES)
    (left,) = forks.run(Job(("upgrade",), ini, database_url))
    assert (left.code, left.stdout) == (0, "")
    assert (heads(database_url), "plants" in tables(database_url)) == (["001"], False)
    path = revision_path(Path(ini), "002")
    path.write_text(path.read_text().replace("    os._exit(0)\n", ""))
    assert Migrator(ini, database_url=database_url).upgrade().after == ("002",)
