"""The README: short, with a true picture, a true table and two commands that do what the lines without make do."""

import re
import shutil
from pathlib import Path

import pytest

from docs import picture
from tests.kit import ROOT
from tests.kit.pages import NEXT_TO, blocks, read, section_of
from tests.kit.processes import Project
from tests.kit.projects import copy_parts

MOST_LINES = 160
CELLS = {"yes", "no", "partly", "paid", "–", ""}


def test_it_is_short() -> None:
    assert len(read("README.md").splitlines()) <= MOST_LINES


def test_it_says_what_this_is_before_it_says_how() -> None:
    first, _, rest = read("README.md").partition("\n## ")
    assert re.search(r"(?m)^\*\*.+", first), "no tagline"
    assert "](docs/picture.svg)" in first
    assert rest.startswith("Why not plain Alembic\n")


def test_the_picture_is_what_happens(tmp_path: Path) -> None:
    stock, ours = picture.sessions(tmp_path)
    assert (stock.rows, stock.code) == ((picture.CHILDREN, 0), 0)
    assert (ours.rows, ours.code) == ((picture.CHILDREN, picture.CHILDREN), 0)
    assert picture.drawn(stock, ours) == picture.PICTURE.read_text(encoding="utf-8"), "run python docs/picture.py"


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    text = picture.PICTURE.read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert re.findall(r"/tmp|/home|\d\d:\d\d", text) == []


def test_the_comparison_has_an_answer_in_every_cell_and_a_date() -> None:
    text = section_of("README.md", "Why not plain Alembic")
    lines = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    heading, _, *rows = [[cell.strip() for cell in line] for line in lines]
    assert heading == ["Alembic", "Django", "Flyway", "Atlas", "this"]
    assert len(rows) > 10
    assert [row for row in rows if len(row) != 6 or not CELLS.issuperset(row[1:])] == []
    for named in ("2026", "Alembic 1.20.1", "Django 5.2", "Flyway 13", "Atlas community"):
        assert named in text


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this system")
def test_make_does_what_the_plain_lines_do(project: Project) -> None:
    copy_parts(project.path, NEXT_TO)
    [plain] = [block.text for block in blocks("docs/index.md") if block.section == "Without make"]
    said = plain.replace(".venv/bin/", "").replace("pip ", "").replace("python ", "").splitlines()
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
