"""How a command ends when it does not end well: interrupted, refused, asked back, or with an error that nobody expected."""

import io
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import pytest

from migrator.errors import error
from migrator.errors.progress import Progress
from migrator.results import Applied, Planned, Report
from tests.cli.stand_in import StandIn, Terminal, terminal as terminal

STEP = Planned("002", "upgrade", "Second", Path("002_second.py"))
HALFWAY = Progress((), (Applied("001", "upgrade", "First", 0.1),), ("001",), STEP)
AHEAD = {
    **{"head": "003", "description": "Third", "when": "today", "who": "ada@lamp", "file": "003_third.py"},
    **{"gone": ("003",), "texts": {"003": "def downgrade(): ..."}},
}
ADOPTED = {"first": "007", "gone": ("table reports with 5 rows",)}
DONE = Report("sqlite://", ("002",), ("001",), (Applied("002", "downgrade", "", 0.1),))


def ended(problem: BaseException, progress: Progress | None) -> BaseException:
    problem.progress = progress  # type: ignore[attr-defined]
    return problem


@pytest.mark.parametrize(
    ("interrupt", "consequence"),
    [
        (KeyboardInterrupt(), ""),  # before there was a run that could know
        (ended(KeyboardInterrupt(), Progress()), " Nothing was changed."),
        (
            ended(KeyboardInterrupt(), HALFWAY),
            " The upgrade of 002 was rolled back; the database is at 001. Applied before it in this run and kept: 001.",
        ),
    ],
)
def test_an_interrupted_run_says_what_it_did(terminal: Terminal, interrupt: BaseException, consequence: str) -> None:
    said = terminal.type("upgrade", upgrade=interrupt)
    assert (said.code, said.stdout) == (2, "")
    assert said.stderr == f"Interrupted.{consequence}\nCheck where the database is:\n  python migrate.py status\n"


def test_the_command_to_check_with_is_the_program_that_was_typed(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/migrator", "upgrade"])
    assert terminal.type("upgrade", upgrade=KeyboardInterrupt()).stderr.endswith("\n  migrator status\n")


def test_an_unexpected_error_has_its_traceback_and_what_the_run_did(terminal: Terminal) -> None:
    said = terminal.type("upgrade", upgrade=RuntimeError("in a model"))
    assert (said.code, said.stdout) == (2, "")
    assert said.stderr.startswith("Traceback ")
    assert said.stderr.endswith(
        "RuntimeError: in a model\nerror: unexpected error; please report it with the traceback above.\n"
    )
    said = terminal.type("upgrade", upgrade=ended(RuntimeError("in a model"), HALFWAY))
    assert said.stderr.endswith(" Applied before it in this run and kept: 001.\n")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://me:hunter2@localhost/app", "{url} and hunter2"),
        ("postgresql://me:%68unter2@localhost/app", "{url} and hunter2"),
        ("postgresql://me@localhost/app?password=hunter2", "{url} and hunter2"),
        ("no url at all", "postgresql://me:hunter2@localhost/app"),
    ],
)
def test_an_unexpected_error_shows_no_password(terminal: Terminal, url: str, text: str) -> None:
    said = terminal.type("upgrade", "--database-url", url, upgrade=RuntimeError(text.format(url=url)))
    assert "RuntimeError: " in said.stderr
    assert "unter2" not in said.stderr


def test_a_password_is_hidden_when_the_settings_themselves_do_not_load(terminal: Terminal, tmp_path: Path) -> None:
    broken = RuntimeError("postgresql://me:hunter2@localhost/app")
    said = terminal.type("upgrade", config=tmp_path / "alembic.ini", upgrade=broken)
    assert "postgresql://me:***@localhost/app" in said.stderr


def test_a_package_that_is_missing_is_named(terminal: Terminal, tmp_path: Path) -> None:
    missing = ModuleNotFoundError("No module named 'dotenv'", name="dotenv")
    said = terminal.type("upgrade", upgrade=missing)
    assert (said.code, said.stderr.splitlines()[0]) == (2, "error: The package python-dotenv is not installed.")
    assert said.stderr.endswith("  python -m pip install --require-hashes -r requirements/runtime.txt\n")
    said = terminal.type("upgrade", config=tmp_path / "alembic.ini", upgrade=missing)
    assert said.stderr.endswith("  python -m pip install alembic sqlalchemy filelock python-dotenv\n")
    said = terminal.type("upgrade", upgrade=ModuleNotFoundError("No module named 'shop'", name="shop"))
    assert "unexpected error" in said.stderr


@pytest.mark.parametrize(
    ("code", "fields", "permission"),
    [("database-ahead", AHEAD, "run_stored"), ("downgrade-adopted", ADOPTED, "drop_adopted")],
)
def test_a_downgrade_asks_and_takes_the_answer(
    terminal: Terminal, code: str, fields: dict[str, Any], permission: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, answer, number in (
        (["--yes"], None, 0),
        ([], "y\n", 0),
        ([], "\n", 2),
        ([], "no\n", 2),
        ([], None, 2),
    ):
        stdin = io.StringIO(answer or "y\n")
        monkeypatch.setattr(stdin, "isatty", lambda answer=answer: answer is not None)
        monkeypatch.setattr(sys, "stdin", stdin)
        engine = StandIn(downgrade=[error(code, **fields), DONE])
        said = terminal.type("downgrade", *arguments, engine=engine)
        assert said.code == number
        assert [call[2] for call in engine.calls] == [{}, {permission: True}][: 2 if number == 0 else 1]
        assert ("Continue? [y/N] " in said.stderr) is (answer is not None)
        assert ("def downgrade(): ..." in said.stderr) is (code == "database-ahead")
        assert ("Reverted 1 revision" in said.stdout, f"#{code}" in said.stderr) == (number == 0, number == 2)


def test_a_permission_is_asked_for_once(terminal: Terminal) -> None:
    engine = StandIn(downgrade=[error("database-ahead", **AHEAD), error("downgrade-adopted", **ADOPTED), DONE])
    assert terminal.type("downgrade", "--yes", engine=engine).code == 0
    assert engine.calls[-1][2] == {"run_stored": True, "drop_adopted": True}
    engine = StandIn(downgrade=[error("database-ahead", **AHEAD)] * 3)
    assert (terminal.type("downgrade", "--yes", engine=engine).code, len(engine.calls)) == (2, 2)


def test_the_scaffold_needs_neither_a_project_nor_an_engine(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    create = types.ModuleType("migrator.scaffold.create")
    create.create = lambda directory: made.append(directory) or (directory / "alembic.ini", directory / "Makefile")  # type: ignore[attr-defined,func-returns-value]
    monkeypatch.setitem(sys.modules, "migrator.scaffold", types.ModuleType("migrator.scaffold"))
    monkeypatch.setitem(sys.modules, "migrator.scaffold.create", create)
    said = terminal.type("scaffold", str(tmp_path / "shop"), config=tmp_path / "nowhere.ini")
    assert said == (
        0,
        f"Created 2 files in {tmp_path}/shop. Next:\n  cd {tmp_path}/shop\n  make upgrade && make test\n",
        "",
    )
    assert made == [tmp_path / "shop"]


def test_the_old_flag_of_the_owned_tables_still_works(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    api = types.ModuleType("migrator.api")
    api.Migrator = lambda config, **settings: given.append(settings) or StandIn(call=None)  # type: ignore[attr-defined,func-returns-value]
    monkeypatch.setitem(sys.modules, "migrator.api", api)
    assert terminal.type("check", "--owned-table", "a", "--owned-table", "b").stderr == ""
    warnings.simplefilter("default")
    said = terminal.type("check", "--own", "a", "--lock-wait", "3")
    assert said.stderr == "warning: --own is now called --owned-table; the old name works in this release only\n"
    assert terminal.type("check", "-q", "--own", "a").stderr == ""
    assert [one.get("owned_tables") for one in given] == [["a", "b"], ["a"], ["a"]]
    assert given[1]["lock_wait"] == 3
