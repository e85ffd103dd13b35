"""What a lost output does to an exit code: nothing to a run that went well, and an answer that nobody could read is an error."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest

from migrator import Migrator
from migrator.cli import main as cli
from migrator.cli.streams import Stream
from migrator.results import Applied, Planned, Report, Revision, Status
from tests.cli.stand_in import CONFIG, StandIn
from tests.kit import ROOT
from tests.kit.assertions import assert_says
from tests.kit.database import heads
from tests.kit.processes import clean_environment
from tests.kit.projects import ANIMALS, PLANTS, miniature

PATH = Path("001_first.py")
REPORT = Report(StandIn.url, (), ("001",), (Applied("001", "upgrade", "First", 0.1),))
STATUS = Status(StandIn.url, (), "001", (Revision("001", "Préparé €", PATH, False),))
REPORTS = (["upgrade"], ["downgrade", "base"], ["stamp", "001", "--no-verify"])
ANSWERS = (
    (["current"], 0),
    (["current", "--json"], 0),
    (["status"], 0),
    (["status", "--json"], 0),
    (["status", "--exit-code"], 1),
    (["history"], 0),
    (["upgrade", "--sql"], 0),
)
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")


def pipe_without_a_reader() -> TextIO:
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


def closed_later() -> TextIO:
    stream = io.TextIOWrapper(io.BytesIO())
    stream.close()
    return stream


LOST = [
    pytest.param(
        lambda: os.fdopen(os.open("/dev/full", os.O_WRONLY), "w"), "No space left on device", marks=FULL, id="full"
    ),
    pytest.param(lambda: os.fdopen(os.open(os.devnull, os.O_RDONLY)), "not writable", id="read-only"),
    pytest.param(closed_later, "closed file", id="closed"),
]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """An engine that stands in, with every answer that is asked for here."""
    reports = dict.fromkeys(("upgrade", "downgrade", "stamp"), REPORT)
    history = (Planned("001", "upgrade", "Préparé €", PATH),)
    made = StandIn(current=("001",), status=STATUS, history=history, sql="SELECT '€';\n", **reports)
    monkeypatch.setattr(cli, "FastPath", lambda *_, **__: made)
    return made


def typed(arguments: list[str], stdout: TextIO | None, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Run a command with that standard output; return its exit code and what it said on standard error."""
    errors = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "stderr", errors)
        code = cli.main(arguments, config=CONFIG)
    if stdout is not None and not stdout.closed:
        stdout.close()  # what Python does at its end; it would raise if something were left that cannot be written
    return code, errors.getvalue()


@pytest.mark.parametrize(("lost", "reason"), LOST)
def test_a_run_stays_done_and_an_answer_that_is_lost_is_an_error(
    engine: StandIn, lost: "type[TextIO]", reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in REPORTS:
        code, said = typed(arguments, lost(), monkeypatch)
        assert (code, said.startswith("warning: The report could not be written")) == (0, True), said
        assert reason in said
    for arguments, _ in ANSWERS:
        code, said = typed(arguments, lost(), monkeypatch)
        assert code == 2, arguments
        assert said.startswith("error: Standard output cannot be written or read: "), said
        assert reason in said
        assert said.endswith("(docs/errors.md#file-unusable)\n")


def test_a_reader_that_has_seen_enough_gets_the_answer_in_the_exit_code(
    engine: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, code in (*((each, 0) for each in REPORTS), *ANSWERS):
        assert typed(arguments, pipe_without_a_reader(), monkeypatch) == (code, "")


def test_a_terminal_with_fewer_characters_gets_escapes(engine: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, bytes] = {}
    for arguments, expected in ANSWERS:
        bytes_ = io.BytesIO()
        output = io.TextIOWrapper(bytes_, encoding="ascii")
        monkeypatch.setattr(output, "close", output.flush)
        code, said = typed(arguments, output, monkeypatch)
        shown[" ".join(arguments)] = bytes_.getvalue()
        assert code == (2 if "--sql" in arguments else expected), said
        assert ("lacks '\\u20ac' of the SQL; set PYTHONIOENCODING=utf-8" in said) is ("--sql" in arguments)
    assert b"Pr\\xe9par\\xe9 \\u20ac" in shown["status"]
    assert json.loads(shown["status --json"])["revisions"][0]["description"] == "Préparé €"
    assert shown["upgrade --sql"] == b""  # other SQL would be worse than none


def test_standard_error_that_cannot_be_written_changes_nothing() -> None:
    with Path(os.devnull).open() as unwritable:
        stream = Stream(unwritable, 2)
        stream.write("x")
        stream.flush()
        assert isinstance(stream.lost, OSError)
        assert stream.write("more") == 4
    assert Stream(None, os.open(os.devnull, os.O_RDONLY)).isatty() is False


def test_a_folder_that_was_deleted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for arguments in (["status"], ["heads"], ["scaffold", "new"]):
        assert cli.main(arguments, config=Path("alembic.ini")) == 2
        said = capsys.readouterr().err
        assert_says(said, "folder-gone", "The current folder has been deleted.")
        assert "Traceback" not in said
    assert cli.main(["heads"], config=CONFIG) == 0


@FULL
@pytest.mark.parametrize("lost", [">&-", ">/dev/full 2>/dev/full", "<&- >&- 2>&-"])
def test_a_process_without_its_streams_migrates_and_exits_with_0(lost: str, sqlite_url: str, tmp_path: Path) -> None:
    ini = miniature(tmp_path / "project", ANIMALS, f"import warnings\nwarnings.warn('heard?')\n{PLANTS}")
    program = "import sys; from pathlib import Path; from migrator.cli.main import main; sys.exit(main(config=Path(sys.argv.pop())))"
    command = ["sh", "-c", f'"$@" {lost}', "sh", sys.executable, "-c", program]
    options = {"cwd": ROOT, "env": {**clean_environment(tmp_path), "DATABASE_URL": sqlite_url}, "capture_output": True}
    done = subprocess.run([*command, "upgrade", ini], text=True, **options)  # type: ignore[call-overload]
    assert (done.returncode, heads(sqlite_url)) == (0, ["002"]), done
    assert Migrator(ini, database_url=sqlite_url).current() == ("002",)
    if ">&-" in lost.split() or ">/dev/full" in lost.split():
        asked = subprocess.run([*command, "current", ini], text=True, **options)  # type: ignore[call-overload]
        assert asked.returncode == 2, asked
