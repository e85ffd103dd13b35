"""The README and the docs, cut into blocks, and what plays a block: shell lines, transcripts, Python, settings.

Shell lines run as they are, transcripts run in a terminal and are compared, Python is executed, or written to the file that its first
line names. Only what would need a network or take minutes is replaced: pip by a stand-in that checks that its files exist, PostgreSQL's
address by that of the tests' server.
"""

import os
import pty
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.kit import ROOT
from tests.kit.processes import Project
from tests.kit.projects import copy_parts
from tests.kit.warm.environment import clean_environment

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)
NEXT_TO = ("Makefile", "pyproject.toml", "requirements", ".env.example")
SHOWN_FOLDER = "/home/ada/shop"
_PIP = """#!/bin/sh
case "$*" in
    "install .") [ -f pyproject.toml ] ;;
    "install --require-hashes -r "*) [ $# = 4 ] && [ -f "$4" ] ;;
    *) exit 1 ;;
esac
"""


@dataclass(frozen=True)
class Block:
    """What is between two fences, the word after the first one, and the section that it is in."""

    page: str
    section: str
    kind: str
    text: str

    @property
    def is_revision(self) -> bool:
        """Whether it is a whole revision file."""
        return self.kind == "python" and "def upgrade(" in self.text


def read(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> Iterator[Block]:
    """Every block of a page, in its order."""
    section = ""
    for part in re.split(r"(?ms)^(## [^\n]+|```\w+\n.*?^```)$", read(page)):
        if part.startswith("## "):
            section = part.removeprefix("## ")
        elif part.startswith("```"):
            kind, _, text = part.removeprefix("```").partition("\n")
            yield Block(page, section, kind, text.removesuffix("```"))


def section_of(page: str, section: str) -> str:
    """The text of one section."""
    found = f"{read(page)}\n## ".partition(f"\n## {section}\n")[2]
    assert found, f"{page} has no section {section!r}"
    return found.partition("\n## ")[0]


def rows_of(page: str, section: str) -> list[list[str]]:
    """The rows of a section's tables, without their headings."""
    rows = [line.strip("| ").split(" | ") for line in section_of(page, section).splitlines() if line.startswith("|")]
    return rows[2:]


def anchors(page: str) -> set[str]:
    """The addresses that GitHub gives to the headings of a page."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", read(page)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def furnish(project: Project) -> None:
    """Put into the copy what a user has there as well: an environment, and what is next to the code."""
    copy_parts(project.path, NEXT_TO)
    environment = project.path / ".venv"
    venv.create(environment, symlinks=sys.platform != "win32")
    [packages] = environment.glob("[Ll]ib/**/site-packages")
    packages.joinpath("tests.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    pip = environment / "bin" / "pip"
    pip.write_text(_PIP)
    pip.chmod(0o755)
    (project.path / "tests").mkdir()  # not these tests once more
    (project.path / "tests" / "test_one.py").write_text("def test_that_pytest_runs():\n    pass\n")
    for stamp in (".made", ".runtime", ".dev"):  # make's, for what is installed
        (environment / stamp).touch()


def play(project: Project, block: Block) -> None:
    """Do what a block says, and compare where it shows what comes out."""
    first, _, rest = block.text.partition("\n")
    if block.kind == "sh":
        text = block.text.replace("python -m venv .venv", "python -m venv --without-pip .venv")
        slow = "bench|soak|upgrade|test" if "scaffold" in text else "bench|soak"
        text = re.sub(rf"(?m)^make ({slow})\b", r"make -n \1", text)
        if shutil.which("make") is None:
            text = re.sub(r"(?m)^make .*$", "", text)
        shell(project, f"set -e\n{text}")
    elif block.kind == "console":
        for command, shown in transcript(block.text):
            compare(seen(project, command), shown, project.path)
    elif block.kind == "ini":
        ini = project.path / "alembic.ini"
        text, changed = re.subn(r"(?ms)^\[migrator\]\n.*?(?=^\[)", lambda _: f"{block.text}\n", ini.read_text())
        assert changed == 1
        ini.write_text(text)
        shell(project, "python migrate.py current")
    elif first.startswith("# ") and ".py" in first:
        name, _, added = first.removeprefix("# ").partition(", ")
        path = project.path / name
        path.write_text((path.read_text() if added else "") + rest)
    else:
        script = project.path / "said_in_the_docs.py"
        script.write_text(block.text)
        shell(project, f"python {script.name}")


def shell(project: Project, text: str) -> None:
    """Run shell lines that have to succeed."""
    done = project.run("bash", "-c", text, environment=_variables(project))
    assert done.code == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr


def transcript(text: str) -> Iterator[tuple[str, str]]:
    """The commands after `$`, each with what is shown under it."""
    _, *parts = re.split(r"(?m)^\$ ", text)
    for part in parts:
        command, _, shown = part.partition("\n")
        yield command, shown


def seen(project: Project, command: str) -> str:
    """What a user sees: both outputs, in their order, on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=project.path,
        env=_variables(project),
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
    """Times, names and widths differ from run to run; an ellipsis alone stands for any lines, at the end of a line for the rest of it."""
    got, shown = (normal(text.replace(str(folder), SHOWN_FOLDER)) for text in (got, shown))
    pattern = "".join(_pattern(line) for line in shown.rstrip("\n").split("\n")) if shown.strip() else ""
    assert re.fullmatch(pattern, got), f"shown:\n{shown}\nseen:\n{got}"


def normal(text: str) -> str:
    """The text without what differs from run to run."""
    text = re.sub(r"\d+\.\d\d s\b", "0.00 s", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00", "THEN", text)
    text = re.sub(r"\S+@\S+(, git commit \w+)?", "WHO", text)
    return re.sub(r" *$", "", re.sub(r" +", " ", text), flags=re.M)


def _pattern(line: str) -> str:
    if line == "…":
        return r"(?:.*\n)*"
    return re.escape(line.removesuffix("…")) + (r".*\n" if line.endswith("…") else r"\n")


def _variables(project: Project) -> dict[str, str]:
    inherited = clean_environment(project.home)
    programs = (project.path / ".venv" / "bin", sysconfig.get_path("scripts"), inherited["PATH"])
    return inherited | {"PATH": os.pathsep.join(map(str, programs)), "NO_COLOR": "1", "PYTEST_ADDOPTS": ""}
