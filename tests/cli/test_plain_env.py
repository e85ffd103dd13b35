"""The quick way in a project of somebody else's: taken where env.py leaves no doubt, with the answer of the full way, and not elsewhere."""

import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from migrator import Migrator, Settings
from migrator.cli import main as cli
from migrator.cli.fast_path import FastPath
from migrator.cli.plain_env import place_of
from migrator.settings import read_ini
from tests.cli.test_fast_path import BODIES, COMMANDS, REPORTS_WHAT_IT_LOADED, Case
from tests.kit import ROOT
from tests.kit.database import execute, state
from tests.kit.doors import alembic_project
from tests.kit.processes import Project

GENERIC = alembic_project("generic")
STOCK = alembic_project("generic", changed=False)


@pytest.fixture
def case(database_url: str, tmp_path: Path) -> Case:
    """A project of Alembic's template with the three lines, on a database that stock Alembic has migrated."""
    command.upgrade(Config(STOCK(tmp_path / "stock", *BODIES, url=database_url)), "head")
    return Case(Path(GENERIC(tmp_path / "project", *BODIES, url=database_url)), database_url)


def asked(
    case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[list[tuple[int, str]]]:
    """What both ways say, without what Alembic logs."""
    answers = []
    for way in (FastPath, Migrator):
        monkeypatch.setattr(cli, "FastPath", way)
        answers.append([(cli.main(arguments, config=case.ini), capsys.readouterr().out) for arguments in COMMANDS])
    return answers


def is_quick(case: Case) -> bool:
    engine = FastPath(case.ini)
    engine.status()
    return "full" not in vars(engine)


def test_it_says_what_the_full_way_says_before_and_after_there_is_a_log(
    case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(case.url)
    quick, full = asked(case, monkeypatch, capsys)
    assert (quick, is_quick(case)) == (full, True)
    assert state(case.url) == before
    engine = Migrator(case.ini)
    engine.downgrade("002")
    assert not is_quick(case)
    engine.upgrade()  # from now on the log knows one of the three
    quick, full = asked(case, monkeypatch, capsys)
    assert (quick, is_quick(case)) == (full, True)
    assert [code for code, _ in quick] == [0] * len(COMMANDS)
    assert "3 applied, 0 pending" in quick[0][1]
    case.change("versions/001_step.py", "upgrade():", "upgrade(:")  # which the log does not know
    assert place_of(case.file("env.py"), read_ini(case.ini), Settings.load(case.ini)) is not None
    quick, full = asked(case, monkeypatch, capsys)
    assert (quick, [code for code, _ in quick]) == (full, [2, 2, 2, 0, 0, 2])


def test_neither_alembic_nor_sqlalchemy_is_loaded(sqlite_url: str, tmp_path: Path) -> None:
    ini = GENERIC(tmp_path / "project", *BODIES, url=sqlite_url)
    Migrator(ini).upgrade()
    result = Project(ROOT, tmp_path).run(sys.executable, "-c", REPORTS_WHAT_IT_LOADED, ini, *map(" ".join, COMMANDS))
    assert result.stderr == f"{[0] * len(COMMANDS)} []\n", result
    assert f"\n{sqlite_url}\nThe database is at 003" in result.stdout


HARMLESS = {
    "their models and paths": (
        "target_metadata = None",
        "target_metadata = sa.MetaData(naming_convention={'ix': 'i'})",
    ),
    "options of autogenerate": (
        "target_metadata=target_metadata)",
        "target_metadata=target_metadata, compare_type=True, render_as_batch=True, include_object=keep)",
    ),
    "logging kept": (
        "fileConfig(config.config_file_name)",
        "fileConfig(config.config_file_name, disable_existing_loggers=False)",
    ),
    "imported by name": ("migrator.run(", "run("),
}
DOUBTFUL = {
    "a URL of its own": (
        "config = context.config",
        "config = context.config\nconfig.set_main_option('sqlalchemy.url', 'sqlite://')",
    ),
    "a URL from the environment": (
        "config = context.config",
        "import os\nconfig = context.config\nurl = os.environ.get('X')",
    ),
    "a section of its own": (
        "config.get_section(config.config_ini_section, {})",
        "{**config.get_section(config.config_ini_section)}",
    ),
    "an engine of its own": ("engine_from_config(", "make_engine("),
    "the same name from elsewhere": ("from sqlalchemy import engine_from_config", "from app import engine_from_config"),
    "a name given again": (
        "target_metadata = None",
        "target_metadata = None\n\n\ndef engine_from_config(*_, **__): ...\n",
    ),
    "a star": ("from alembic import context", "from alembic import context\nfrom app import *"),
    "another version table": (
        "target_metadata=target_metadata)",
        "target_metadata=target_metadata, version_table='other')",
    ),
    "another schema": (
        "target_metadata=target_metadata)",
        "target_metadata=target_metadata, version_table_schema='other')",
    ),
    "options from elsewhere": ("target_metadata=target_metadata)", "**options)"),
    "an option that calls": ("target_metadata=target_metadata)", "target_metadata=load())"),
    "two databases": ("        migrator.run(", "        migrator.run(connection)\n        migrator.run("),
    "something before": (
        "        migrator.run(",
        "        connection.exec_driver_sql('SET search_path TO other')\n        migrator.run(",
    ),
    "a listener": (
        "def run_migrations_online",
        "@event.listens_for(Engine, 'connect')\ndef connected(*_): ...\n\n\ndef run_migrations_online",
    ),
    "a call": ("target_metadata = None", "target_metadata = None\nprepare(config)"),
    "a default that calls": ("def run_migrations_offline()", "def run_migrations_offline(x=prepare())"),
    "run_env as well": ("target_metadata = None", "target_metadata = None\nmigrator.run_env(target_metadata)"),
    "a syntax error": ("config = context.config", "config = = context.config"),
}


@pytest.mark.parametrize("name", [*HARMLESS, *DOUBTFUL])
def test_what_env_py_may_say_for_the_quick_way(name: str, sqlite_url: str, tmp_path: Path) -> None:
    case = Case(Path(GENERIC(tmp_path / "project", url=sqlite_url)), sqlite_url)
    old, new = {**HARMLESS, **DOUBTFUL}[name]
    case.change("env.py", old, new)
    if name == "imported by name":
        case.change("env.py", "import migrator", "from migrator import run")
    found = place_of(case.file("env.py"), read_ini(case.ini), Settings.load(case.ini, environ={}))
    assert (found is not None) is (name in HARMLESS)


@pytest.mark.parametrize(
    ("line", "is_certain"),
    [
        ("timezone = UTC", True),
        ("sqlalchemy.echo = true", False),
        ("sqlalchemy.isolation_level = SERIALIZABLE", False),
        ("version_locations = %(here)s/migrations/versions", False),
        ("recursive_version_locations = true", False),
    ],
)
def test_what_alembic_ini_may_say_for_the_quick_way(
    line: str, is_certain: bool, sqlite_url: str, tmp_path: Path
) -> None:
    case = Case(Path(GENERIC(tmp_path / "project", *BODIES, url=sqlite_url)), sqlite_url)
    command.upgrade(Config(str(case.ini)), "head")
    case.ini.write_text(case.ini.read_text().replace("[alembic]", f"[alembic]\n{line}", 1))
    assert is_quick(case) is is_certain


def test_a_url_that_env_py_would_not_follow_takes_the_full_way(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert is_quick(case)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    assert is_quick(case)  # the template does not read it
    assert FastPath(case.ini).status().at == ("003",)
    engine = FastPath(case.ini, database_url=f"sqlite:///{tmp_path}/other.db")
    engine.current()
    assert "full" in vars(engine)
    execute(case.url, "DROP TABLE alembic_version")
    assert not is_quick(case)
