"""What can be seen from outside says one thing everywhere: names, commands, error codes; and the engine keeps its shape."""

import ast
import importlib
import inspect
import re
import shlex
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from alembic import command
from alembic.config import CommandLine
from alembic.util import CommandError

import migrator
from migrator import DatabaseError
from migrator.cli import commands
from migrator.cli.arguments import parse
from migrator.cli.commands import ALEMBIC_COMMANDS, COMMANDS
from migrator.cli.main import main
from migrator.errors import error
from migrator.errors.progress import Progress
from migrator.errors.texts import CATALOGUE, steps
from migrator.errors.texts.steps import STEP_FIELDS
from migrator.results import Planned
from tests.kit import ROOT
from tests.kit.error_sites import sites
from tests.kit.source import dotted, modules

MODULES = modules()
CODES = list(CATALOGUE)
MOST_LINES = 300
# Nothing but the column types may ask which database it is, because SQLAlchemy hands the answer to them alone.
TYPES = "types.py"
# The folder of the errors' texts, in which a code is no proof that it is raised.
TEXTS = "errors/texts/"
# What every text may use: the program, and what the run knows.
GIVEN = {"cli", "changed", "at"}


def commands_of_readme() -> list[str]:
    """The first word of each row of the table of commands."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## Commands\n")[2].partition("\n## ")[0]
    return re.findall(r"(?m)^\| `(\w+)[^`]*` \|", section)


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


def public(namespace: dict[str, Any], module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The functions, classes and properties that a module or a class of it defines under a public name."""
    for name, thing in namespace.items():
        thing = thing.__func__ if isinstance(thing, staticmethod | classmethod) else thing
        owner = thing.fget if isinstance(thing, property) else thing
        ours = not name.startswith("_") and getattr(owner, "__module__", None) == module.__name__
        if ours and isinstance(thing, FunctionType | type | property):
            yield name, thing


def answers_for_others(owner: type, name: str) -> bool:
    """Whether a method takes the place of one of Alembic's or SQLAlchemy's, whose manual says what it is for."""
    return any(name in vars(base) for base in owner.__mro__ if not base.__module__.startswith("migrator"))


def test_the_package_has_the_names_of_all_and_no_others() -> None:
    for name in migrator.__all__:
        assert getattr(migrator, name).__name__ == name
    assert list(migrator.__all__) == sorted(migrator.__all__)
    written = {
        alias.name
        for node in ast.walk(MODULES["__init__.py"])
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("migrator.")
        for alias in node.names
    }
    assert written == set(migrator.__all__) == set(migrator._HOMES)
    loaded = {name for name, thing in vars(migrator).items() if not isinstance(thing, ModuleType)}
    assert {name for name in loaded if not name.startswith("_")} <= {
        *migrator.__all__,
        *("Any", "TYPE_CHECKING", "import_module"),
    }
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = migrator.nothing


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == migrator.__version__


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_each_of_its_options_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = commands.load(name)
    assert command is not None
    assert command.help
    for names, details in command.arguments:
        assert details.get("help"), names
    with pytest.raises(SystemExit) as done:
        main([name, "--help"], config=ROOT / "alembic.ini")
    assert done.value.code == 0
    assert f"usage: migrate.py {name}" in capsys.readouterr().out


def test_every_command_stands_in_the_readme_and_nothing_else_does() -> None:
    assert all(ALEMBIC_COMMANDS.values())
    listed = commands_of_readme()
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted([*COMMANDS, *ALEMBIC_COMMANDS])


def test_what_alembic_can_do_and_we_do_not_wrap_is_handed_on() -> None:
    theirs = {
        name
        for name, thing in vars(command).items()
        if isinstance(thing, FunctionType) and thing.__module__ == command.__name__ and not name.startswith("_")
    }
    assert set(ALEMBIC_COMMANDS) == theirs - set(COMMANDS)


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
        text = rendered(code, **{name: value for name, value in given.items() if name in fields_of(code)})
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


def test_a_file_of_the_engine_fits_its_noun() -> None:
    lines = {path: len((ROOT / "migrator" / path).read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_the_engine_knows_nothing_of_the_application() -> None:
    found = {}
    for path, module in MODULES.items():
        for node in ast.walk(module):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            else:
                continue
            if any(name.partition(".")[0] in ("app", "tests", "benchmarks") for name in names):
                found[f"{path}:{node.lineno}"] = names
    assert found == {}


def test_only_the_dialects_ask_which_database_it_is() -> None:
    found = []
    for path, module in MODULES.items():
        if path.startswith("dialects/") or path == TYPES:
            continue
        for node in ast.walk(module):
            if not isinstance(node, ast.Compare | ast.match_case | ast.Dict):
                continue
            text = ast.unparse(node)
            if re.search(r"['\"](sqlite|postgresql)['\"]", text) and "dialect" in text.lower():
                found.append(f"{path}: {text}")
    assert found == []


def test_everything_public_in_the_engine_has_a_docstring() -> None:
    without = []
    for path in MODULES:
        module = importlib.import_module(dotted(path))
        if not module.__doc__:
            without.append(path)
        for name, thing in public(vars(module), module):
            # A dataclass gets one by itself, which says nothing; an overriding method may leave it to the one above.
            if not inspect.getdoc(thing) or str(thing.__doc__).startswith(f"{name}("):
                without.append(f"{path}: {name}")
            for part, _ in public(vars(thing), module) if isinstance(thing, type) else ():
                if not inspect.getdoc(getattr(thing, part)) and not answers_for_others(thing, part):
                    without.append(f"{path}: {name}.{part}")
    assert without == [], "\n".join(without)


def test_the_contributors_guide_names_every_room_of_the_engine() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = {path.partition("/")[0] if path.startswith(TEXTS) else Path(path).stem for path in MODULES} - {"__init__"}
    assert sorted(room for room in rooms if f"`{room}`" not in text) == []


def test_the_requirements_name_no_address() -> None:
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert [file.name for file in files] == ["dev.txt", "runtime.txt"]
    assert [file.name for file in files if "://" in file.read_text(encoding="utf-8")] == []


def test_an_error_is_alembics_too_and_its_first_line_stands_alone() -> None:
    made = error("connection-in-transaction")
    assert isinstance(made, CommandError)
    assert isinstance(made, DatabaseError)
    first, second, *_ = str(made).splitlines()
    assert first == "The connection handed to run() is already in a transaction."
    assert second.startswith("Nothing was changed.")
    made.progress = Progress(at=("007",), running=Planned("008", "upgrade", "", Path("008.py")))
    assert str(made).splitlines()[1].startswith("The upgrade of 008 was rolled back; the database is at 007.")
