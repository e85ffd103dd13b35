"""The README is true: whoever types what it says gets what it shows.

The blocks of a section are run in their order, in a copy of the project: shell lines as they stand, transcripts in a terminal and
compared, Python blocks executed, or written to the file that their first line names. Only what would reach for a network or take minutes
is replaced: pip by a stand-in that looks whether its files are there, PostgreSQL's address by that of the tests' server.
"""

import os
import pty
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from migrator import Migrator
from migrator.settings import _FROM_TEXT, Settings
from migrator.steps import _OWN_SETTINGS
from tests.kit import ROOT
from tests.kit.doors import OURS, THEIRS
from tests.kit.processes import Project, clean_environment
from tests.kit.projects import copy_parts

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
# Where a section begins: without a database, or at a revision; the others at the newest one.
BEGINNINGS = {"Start": None, "A first session": None, "A project of your own": None, "From Python": "010"}
BESIDE = ("Makefile", "pyproject.toml", "requirements", ".env.example")
ADDRESS = re.compile(r"postgresql://[^\s'\"]+")
SHOWN_FOLDER = "/home/ada/shop"
_PIP = """#!/bin/sh
[ "$1 $2 $3" = "install --require-hashes -r" ] && [ -f "$4" ] && [ $# = 4 ]
"""


@dataclass(frozen=True)
class Block:
    """What stands between two fences, the word behind the first, and the section that it is in."""

    section: str
    kind: str
    text: str


def blocks() -> Iterator[Block]:
    section = ""
    parts = re.split(r"(?ms)^(## [^\n]+|```\w+\n.*?^```)$", TEXT)
    for part in parts:
        if part.startswith("## "):
            section = part.removeprefix("## ")
        elif part.startswith("```"):
            kind, _, text = part.removeprefix("```").partition("\n")
            yield Block(section, kind, text.removesuffix("```"))


BLOCKS = list(blocks())
RUNS = [block for block in BLOCKS if block.kind != "diff" and "def upgrade(" not in block.text]
SECTIONS = list(dict.fromkeys(block.section for block in RUNS))


def rows_of(section: str) -> list[list[str]]:
    """The rows of a section's table, without its heading."""
    text = TEXT.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


def furnished(project: Project, beginning: str | None) -> Path:
    """Put into the copy what a person has beside the scaffold: an environment, and perhaps a database."""
    copy_parts(project.path, BESIDE)
    if beginning is not None:
        Migrator(ROOT / "alembic.ini", database_url=f"sqlite:///{project.path / 'app.db'}").upgrade(beginning)
    environment = project.path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=120)
    [packages] = environment.glob("[Ll]ib/**/site-packages")
    packages.joinpath("tests.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    pip = environment / "bin" / "pip"
    pip.write_text(_PIP)
    pip.chmod(0o755)
    (project.path / "tests").mkdir()  # not these tests once more
    (project.path / "tests" / "test_one.py").write_text("def test_that_pytest_runs():\n    pass\n")
    for stamp in (".made", ".runtime", ".dev"):  # make's, for what is installed
        (environment / stamp).touch()
    return environment


def variables(project: Project) -> dict[str, str]:
    inherited = clean_environment(project.home)
    programs = (project.path / ".venv" / "bin", sysconfig.get_path("scripts"), inherited["PATH"])
    return inherited | {"PATH": os.pathsep.join(map(str, programs)), "NO_COLOR": "1", "PYTEST_ADDOPTS": ""}


def play(project: Project, block: Block) -> None:
    first, _, rest = block.text.partition("\n")
    if block.kind == "sh":
        text = block.text.replace("python -m venv .venv", "python -m venv --without-pip .venv")
        text = re.sub(r"(?m)^make (bench|soak)\b", r"make -n \1", text)
        if shutil.which("make") is None:
            text = re.sub(r"(?m)^make .*$", "", text)
        shell(project, f"set -e\n{text}")
    elif block.kind == "console":
        for command, shown in transcript(block.text):
            compare(seen(project, command), shown, project.path)
    elif first.startswith("# ") and ".py" in first:
        name, _, added = first.removeprefix("# ").partition(", ")
        path = project.path / name
        path.write_text((path.read_text() if added else "") + rest)
    else:
        script = project.path / "said_in_the_readme.py"
        script.write_text(block.text)
        shell(project, f"python {script.name}")


def shell(project: Project, text: str) -> None:
    done = project.run("bash", "-c", text, environment=variables(project))
    assert done.code == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr


def transcript(text: str) -> Iterator[tuple[str, str]]:
    """The commands behind `$`, each with what is shown under it."""
    _, *parts = re.split(r"(?m)^\$ ", text)
    for part in parts:
        command, _, shown = part.partition("\n")
        yield command, shown


def seen(project: Project, command: str) -> str:
    """What a person sees: both outputs, in their order, on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=project.path,
        env=variables(project),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    received = b""
    try:
        while chunk := os.read(ours, 65536):
            received += chunk
    except OSError:  # how Linux says that the last writer is gone
        pass
    finally:
        os.close(ours)
        process.wait(timeout=120)
    return received.decode().replace("\r\n", "\n")


def compare(got: str, shown: str, folder: Path) -> None:
    """Times, names and widths differ from run to run; a line with nothing but an ellipsis stands for any lines."""
    got, shown = (normal(text.replace(str(folder), SHOWN_FOLDER)) for text in (got, shown))
    pattern = "".join(
        r"(?:.*\n)*" if line == "…" else re.escape(line) + r"\n" for line in shown.rstrip("\n").split("\n")
    )
    assert re.fullmatch(pattern, got), f"shown:\n{shown}\nseen:\n{got}"


def normal(text: str) -> str:
    text = re.sub(r"\d+\.\d\d s\b", "0.00 s", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00", "THEN", text)
    text = re.sub(r"\S+@\S+(, git commit \w+)?", "WHO", text)
    return re.sub(r" *$", "", re.sub(r" +", " ", text), flags=re.M)


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert {block.kind for block in BLOCKS} == {"sh", "console", "python", "diff"}
    assert set(BEGINNINGS) <= set(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_can_be_typed_in(project: Project, request: pytest.FixtureRequest, section: str) -> None:
    furnished(project, BEGINNINGS.get(section, "head"))
    for block in RUNS:
        if block.section == section:
            text = block.text
            if ADDRESS.search(text):
                text = ADDRESS.sub(request.getfixturevalue("postgres_url"), text)
            play(project, Block(section, block.kind, text))


def test_the_revision_that_is_shown_goes_up_and_down(project: Project, database_url: str) -> None:
    Migrator(ROOT / "alembic.ini", database_url=database_url).upgrade()
    [shown] = [block.text for block in BLOCKS if "def upgrade(" in block.text]
    project.path.joinpath("migrations/versions/013_shown.py").write_text(shown)
    for command, where in (("upgrade", "013"), ("downgrade", "012"), ("upgrade", "013")):
        done = project.migrate(command, url=database_url)
        assert (done.code, done.stdout.splitlines()[-1].partition("is at ")[2]) == (0, f"{where}."), done


def test_the_lines_of_env_py_are_those_that_an_existing_project_is_tested_with() -> None:
    [shown] = [block.text for block in BLOCKS if block.kind == "diff"]
    imports, lines = shown.split("@@\n")
    assert imports == " from alembic import context\n+import migrator\n"
    old = "".join(line[1:] for line in lines.splitlines(keepends=True) if line.startswith("-"))
    new = "".join(line[1:] for line in lines.splitlines(keepends=True) if line.startswith("+"))
    assert (old, new) == (THEIRS["generic"], OURS["generic"])


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this system")
def test_make_does_what_the_plain_lines_do(project: Project) -> None:
    copy_parts(project.path, BESIDE)
    plain = [block.text for block in BLOCKS if block.section == "Start" and "pip install" in block.text]
    said = plain[0].replace(".venv/bin/", "").replace("pip ", "").replace("python ", "").splitlines()
    for target, lines in (("upgrade", said[:3]), ("test", [said[0], *said[3:]])):
        done = project.run("make", "-n", target)
        assert done.code == 0, done
        for line in lines:
            assert line.replace("venv .venv", "venv --clear .venv") in done.stdout
    for target, module in (("bench", "benchmarks/cost.py"), ("soak", "tests/kit/soak.py")):
        assert f"-m {module[:-3].replace('/', '.')}" in project.run("make", "-n", target).stdout
        assert (ROOT / module).is_file()


def test_what_is_pinned_is_pinned_and_hashed() -> None:
    for name in ("runtime.txt", "dev.txt"):
        lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        pins = [line for line in lines if line and not line.startswith((" ", "#"))]
        assert pins
        assert [line for line in pins if not re.match(r"[\w.\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


def test_the_table_of_settings_is_the_settings() -> None:
    defaults = {field.name: field.default for field in fields(Settings)}
    words = {None: "none", (): "none", True: "true", False: "false"}
    expected = {name: words.get(defaults[name], f"{defaults[name]:g}" if defaults[name] else "") for name in _FROM_TEXT}
    assert {row[0].strip("`"): row[1] for row in rows_of("Settings")} == expected


def test_the_table_of_a_revisions_attributes_is_what_a_step_reads() -> None:
    named = re.findall(r"`(\w+)", " ".join(row[0] for row in rows_of("Revisions that ask for more")))
    assert sorted(named) == sorted([*_OWN_SETTINGS, "rerunnable"])


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/errors.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        assert not anchor or f"\n## {anchor}\n" in path.read_text(encoding="utf-8"), target
