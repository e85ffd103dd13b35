"""Every error has a code, a text, a section in the docs and a test; and what it says to type can be typed."""

import ast
import re
import shlex
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import CommandLine
from alembic.util import CommandError

from migrator import DatabaseError
from migrator.cli.arguments import parse
from migrator.cli.commands import ALEMBIC_COMMANDS
from migrator.errors import error
from migrator.errors.progress import Progress
from migrator.errors.texts import CATALOGUE, steps
from migrator.errors.texts.steps import STEP_FIELDS
from migrator.results import Planned
from tests.kit import ROOT
from tests.kit.error_sites import sites
from tests.kit.source import modules

MODULES = modules()
CODES = list(CATALOGUE)
# The folder of the texts, in which a code is no proof that it is raised.
TEXTS = "errors/texts/"
# What every text may use: the program, and what the run knows.
GIVEN = {"cli", "changed", "at", "again"}


def sections_of_errors() -> dict[str, str]:
    """The sections of docs/errors.md by their headings."""
    text = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    _, *parts = re.split(r"(?m)^## ", text)
    return {heading: body.strip() for heading, _, body in (part.partition("\n") for part in parts)}


def fields_of(code: str) -> set[str]:
    """The names in braces in an error's text, without what every text may use."""
    parsed = string.Formatter().parse("".join(CATALOGUE[code][1:]))
    return {name for _, name, _, _ in parsed if name is not None} - GIVEN


def rendered(code: str, **fields: object) -> str:
    """An error's text with something in each of its fields."""
    anything: dict[str, object] = dict.fromkeys(fields_of(code), "x")
    for _, name, spec, conversion in string.Formatter().parse("".join(CATALOGUE[code][1:])):
        if name is not None and (conversion in ("c", "h", "b") or spec):
            anything[name] = ("x", "y") if conversion in ("c", "h", "b") else 1.5
    return str(error(code, **{**{k: v for k, v in anything.items() if k not in GIVEN}, **fields}))


def constants_of_tests() -> Iterator[str]:
    """Every string in the tests, without this file."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path != Path(__file__):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_every_code_is_raised_and_every_code_raised_has_a_text() -> None:
    raised: dict[str, list[str]] = {}
    for site in sites():
        raised.setdefault(site.code, []).append(site.place)
    assert {code: places for code, places in raised.items() if code not in CATALOGUE} == {}
    # Said through another function, or with a code that a variable holds: the word stands in the engine all the same.
    words = {
        node.value
        for path, module in MODULES.items()
        if not path.startswith(TEXTS)
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert [code for code in CODES if code not in raised and code not in words] == []


@pytest.mark.parametrize("code", CODES)
def test_every_text_has_its_parts_and_a_command(code: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    text = rendered(code)
    fact, *_, anchor = text.splitlines()
    assert fact
    assert anchor == f"(docs/errors.md#{code})"
    assert re.search(r"(?m)^  \S", text), "no command that can be pasted"
    assert all(part.strip() for part in CATALOGUE[code][1:])


def test_whoever_raises_gives_what_the_text_needs() -> None:
    missing = {}
    for site in sites():
        if site.code in CATALOGUE and site.fields is not None:
            added = STEP_FIELDS if site.code in steps.TEXTS else set()
            if lacking := fields_of(site.code) - site.fields - added:
                missing[f"{site.code} at {site.place}"] = sorted(lacking)
    assert missing == {}
    assert len(sites()) > len(CODES) / 2


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_section_in_the_docs(code: str) -> None:
    section = sections_of_errors()[code]
    for heading in ("**What it means.** ", "**Why it stops.** ", "**What to do.** "):
        assert section.count(heading) == 1, heading
    assert "`" in section.partition("**What to do.** ")[2], "no command, name or setting to type"


def test_the_docs_have_no_other_codes() -> None:
    assert set(sections_of_errors()) == set(CODES)


def commands_of_texts() -> list[str]:
    """What stands behind the program's name wherever an error, or its section in the docs, says what to type."""
    docs = "\n".join(sections_of_errors().values())
    found = [" ".join(text.split()) for text in re.findall(r"`(?:[A-Z_]+=\w+ )?python\s+migrate\.py\s+([^`]+)`", docs)]
    for code in CODES:
        given = {"direction": "upgrade", "command": "upgrade"}
        text = rendered(
            code, **{name: value for name, value in given.items() if name in {*fields_of(code), "direction"}}
        )
        found += re.findall(r"(?m)^  .*python migrate\.py (.+?)(?: &&.*)?$", text)
    return sorted({text for text in found if "COMMAND" not in text})


@pytest.mark.parametrize("typed", commands_of_texts())
def test_what_is_to_be_typed_can_be_typed(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    code: object = 0
    try:
        options = parse(shlex.split(typed), ROOT / "alembic.ini")
        if options.command in ALEMBIC_COMMANDS:
            CommandLine("migrate.py").parser.parse_args([options.command, *options.arguments])
    except SystemExit as ended:
        code = ended.code
    assert code == 0, capsys.readouterr().err


def test_every_code_has_a_test() -> None:
    text = "\0".join(constants_of_tests())
    without = [code for code in CODES if not re.search(rf"(?<![\w-]){re.escape(code)}(?![\w-])", text)]
    assert without == [], f"codes that no test mentions: {', '.join(without)}"


def test_an_error_is_alembics_too_and_its_first_line_stands_alone() -> None:
    made = error("connection-in-transaction")
    assert isinstance(made, CommandError)
    assert isinstance(made, DatabaseError)
    first, second, *_ = str(made).splitlines()
    assert first == "The connection handed to run() is already in a transaction."
    assert second.startswith("Nothing was changed.")
    made.progress = Progress(at=("007",), running=Planned("008", "upgrade", "", Path("008.py")))
    assert str(made).splitlines()[1].startswith("The upgrade of 008 was rolled back; the database is at 007.")
