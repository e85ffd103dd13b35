"""A command's module loads when the command runs; help and wrong arguments load neither Alembic nor SQLAlchemy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.cli import commands
from migrator.cli.arguments import parse

ROOT = Path(__file__).parents[2]
HELP = [["--help"], *([name, "--help"] for name in commands.COMMANDS)]
WRONG = [
    [],
    ["upgarde"],
    ["upgrade", "--frobnicate"],
    ["upgrade", "001", "002"],
    ["stamp"],
    ["scaffold"],
    ["log", "--limit", "x"],
]
PROGRAM = """
import json, sys
from pathlib import Path
from migrator.cli.main import main
codes = []
for arguments in json.loads(sys.argv[1]):
    try:
        codes.append(main(arguments, config=Path("alembic.ini")))
    except SystemExit as ended:
        codes.append(ended.code)
loaded = sorted(name for name in sys.modules if name.partition(".")[0] in ("alembic", "sqlalchemy", "mako", "psycopg2"))
print(json.dumps([codes, loaded]), file=sys.stderr)
"""
ONE = """
import sys
from pathlib import Path
from migrator.cli.arguments import parse
parse([sys.argv[1]], Path("alembic.ini"))
print(sorted(name for name in sys.modules if name.startswith("migrator.cli.commands.")))
"""


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)


def test_help_and_wrong_arguments_load_neither_alembic_nor_sqlalchemy() -> None:
    done = python(PROGRAM, json.dumps([*HELP, *WRONG]))
    codes, loaded = json.loads(done.stderr.splitlines()[-1])
    assert (codes, loaded) == ([0] * len(HELP) + [2] * len(WRONG), [])


@pytest.mark.parametrize("name", ["status", "adopt"])
def test_a_command_loads_no_other(name: str) -> None:
    table = "migrator.cli.commands.alembic"  # of which the names of Alembic's commands are
    assert python(ONE, name).stdout == f"{sorted({table, f'migrator.cli.commands.{name}'})}\n"


def test_the_table_and_the_folder_have_the_same_commands() -> None:
    files = {path.stem for path in Path(commands.__file__).parent.glob("*.py")} - {"__init__", "alembic"}
    assert files == set(commands.COMMANDS.values())
    assert [command.name for command in commands.every()] == [*commands.COMMANDS, *commands.ALEMBIC_COMMANDS]
    for command in commands.every():
        assert (bool(command.help), command.help[0].islower(), command.help.endswith(".")) == (True, True, False)
        for names, details in command.arguments:
            assert details.get("help"), names


@pytest.mark.parametrize(
    ("typed", "program", "usage"),
    [
        ("/usr/bin/migrator", "migrator", "migrator"),
        ("migrate.py", "python migrate.py", "migrate.py"),
        ("/srv/app/migrate.py", "python migrate.py", "migrate.py"),
    ],
)
def test_help_calls_the_program_as_the_user_typed_it(
    typed: str, program: str, usage: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [typed])
    for arguments in (["--help"], ["upgrade", "--help"]):
        with pytest.raises(SystemExit):
            parse(arguments, Path("alembic.ini"))
    text = capsys.readouterr().out
    assert f"usage: {usage} [options] command …" in text
    assert f"  {program} status --exit-code  " in text
    assert f"usage: {usage} upgrade " in text
    assert "{cli}" not in text
    with pytest.raises(SystemExit):
        parse(["upgarde"], Path("alembic.ini"))
    assert capsys.readouterr().err.endswith(f"{usage}: error: there is no command 'upgarde'; see {program} --help\n")


def test_no_help_repeats_a_default_of_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in HELP:
        with pytest.raises(SystemExit):
            parse(arguments, Path("alembic.ini"))
    assert "300" not in capsys.readouterr().out


def test_the_console_script_uses_the_alembic_ini_of_the_current_folder(tmp_path: Path) -> None:
    code = "import sys; from migrator.cli.main import console; sys.argv = ['migrator', 'status']; sys.exit(console())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: There is no configuration file at {tmp_path / 'alembic.ini'}." in done.stderr
    assert "  migrator --config path/to/alembic.ini upgrade" in done.stderr
