"""What can be seen from outside says one thing everywhere: names and commands; and the engine keeps its shape."""

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from alembic import command

import migrator
from migrator.cli import commands
from migrator.cli.commands import ALEMBIC_COMMANDS, COMMANDS
from migrator.cli.main import main
from tests.kit import ROOT
from tests.kit.source import dotted, modules

MODULES = modules()
MOST_LINES = 300
TYPES = "types.py"
TEXTS = "errors/texts/"


def commands_of_docs() -> list[str]:
    """The first word of each row of the table of commands."""
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    section = text.partition("\n## Commands\n")[2].partition("\n## ")[0]
    return re.findall(r"(?m)^\| `(\w+)[^`]*` \|", section)


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


def test_every_command_stands_in_the_docs_and_nothing_else_does() -> None:
    assert all(ALEMBIC_COMMANDS.values())
    listed = commands_of_docs()
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted([*COMMANDS, *ALEMBIC_COMMANDS])


def test_what_alembic_can_do_and_we_do_not_wrap_is_handed_on() -> None:
    theirs = {
        name
        for name, thing in vars(command).items()
        if isinstance(thing, FunctionType) and thing.__module__ == command.__name__ and not name.startswith("_")
    }
    assert set(ALEMBIC_COMMANDS) == theirs - set(COMMANDS)


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
