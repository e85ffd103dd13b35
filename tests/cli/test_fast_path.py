"""The quick way says what the full way says, letter by letter, writes nothing, and loads neither Alembic nor SQLAlchemy."""

import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import Migrator
from migrator.cli import main as cli
from migrator.cli.fast_path import FastPath
from tests.kit import ROOT
from tests.kit.database import execute, state
from tests.kit.processes import Project
from tests.kit.projects import miniature, write_revisions

TABLE = """
def upgrade():
    op.create_table("{name}", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("{name}")
"""
BODIES = [TABLE.replace("{name}", name) for name in ("animals", "plants", "stones")]
COMMANDS = (
    ["status"],
    ["status", "--json"],
    ["status", "--exit-code"],
    ["current"],
    ["current", "--json"],
    ["upgrade"],
)
REPORTS_WHAT_IT_LOADED = """
import sys
from pathlib import Path
from migrator.cli.main import main
codes = [main(arguments.split(), config=Path(sys.argv[1])) for arguments in sys.argv[2:]]
loaded = [name for name in ("alembic", "sqlalchemy") if name in sys.modules]
print(codes, loaded, file=sys.stderr)
"""


@dataclass
class Case:
    """A project of three revisions at its head, to be changed."""

    ini: Path
    url: str

    @property
    def engine(self) -> Migrator:
        return Migrator(self.ini, database_url=self.url)

    def file(self, name: str) -> Path:
        return self.ini.parent / "migrations" / name

    def change(self, name: str, old: str, new: str) -> None:
        path = self.file(name)
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))


def _add(case: Case, text: str = BODIES[0].replace("animals", "more")) -> None:
    write_revisions(case.ini.parent, [text], first=4)


def _branch(case: Case) -> None:
    _add(case, BODIES[0].replace("animals", "side") + "\nbranch_labels = 'side'\ndown_revision = '002'\n")


def _several_locations(case: Case) -> None:
    elsewhere = case.file("elsewhere")
    elsewhere.mkdir()
    shutil.move(case.file("versions/003_step.py"), elsewhere)
    case.ini.write_text(f"{case.ini.read_text()}version_locations = %(here)s/migrations/versions:{elsewhere}\n")


def _garbage(case: Case) -> None:
    if case.url.startswith("sqlite"):
        Path(case.url.removeprefix("sqlite:///")).write_text("no database, this" * 1000)
    else:
        case.url = case.url.replace("test_", "nowhere_")


def _query(case: Case) -> None:
    case.url += "?timeout=3" if case.url.startswith("sqlite") else "?application_name=me"


STATES: dict[str, Callable[[Case], object]] = {
    "at head": lambda case: None,
    "behind": lambda case: case.engine.downgrade("001"),
    "at base": lambda case: case.engine.downgrade("base"),
    "empty": lambda case: execute(case.url, *(f"DROP TABLE {n}" for n in ("alembic_version", "migration_log"))),
    "one more file": _add,
    "one more that does not load": lambda case: _add(case, BODIES[0] + "\nimport no_such_module\n"),
    "one applied that no longer loads": lambda case: case.change("versions/002_step.py", "upgrade():", "upgrade(:"),
    "edited": lambda case: case.change("versions/002_step.py", "Revision 002", "Something else"),
    "other line ends": lambda case: case.file("versions/002_step.py").write_bytes(
        case.file("versions/002_step.py").read_bytes().replace(b"\n", b"\r\n")
    ),
    "ahead": lambda case: case.file("versions/003_step.py").unlink(),
    "unknown": lambda case: execute(case.url, "UPDATE alembic_version SET version_num = 'elsewhere'"),
    "two heads in the table": lambda case: execute(case.url, "INSERT INTO alembic_version VALUES ('001')"),
    "gap": lambda case: case.file("versions/002_step.py").unlink(),
    "duplicate": lambda case: shutil.copy(case.file("versions/002_step.py"), case.file("versions/copy.py")),
    "an id that is computed": lambda case: case.change(
        "versions/003_step.py", 'revision = "003"', 'revision = "00" + "3"'
    ),
    "no docstring": lambda case: case.change("versions/003_step.py", '"""Revision 003."""', ""),
    "a branch": _branch,
    "several locations": _several_locations,
    "no files": lambda case: shutil.rmtree(case.file("versions")),
    "no log": lambda case: execute(case.url, "DROP TABLE migration_log"),
    "an empty log": lambda case: execute(case.url, "DELETE FROM migration_log"),
    "log off": lambda case: case.ini.write_text(case.ini.read_text() + "\n[migrator]\nlog = off\n"),
    "a step begun": lambda case: execute(
        case.url,
        "UPDATE migration_log SET outcome = 'begun', statements = '[\"CREATE TABLE more\"]' WHERE revision = '003'",
    ),
    "another version table": lambda case: case.change("env.py", "(metadata)", "(metadata, version_table='other')"),
    "two runs in env.py": lambda case: case.change(
        "env.py", "run_env(", "run_env(metadata, version_table='o')\nrun_env("
    ),
    "a broken env.py": lambda case: case.change("env.py", "(metadata)", "(metadata"),
    "unreadable": _garbage,
    "a URL with a query": _query,
    "no configuration": lambda case: case.ini.unlink(),
}


@pytest.fixture
def case(database_url: str, tmp_path: Path) -> Case:
    made = project(tmp_path / "project", database_url)
    made.engine.upgrade()
    return made


def project(directory: Path, url: str) -> Case:
    made = Case(Path(miniature(directory, *BODIES)), url)
    made.change("env.py", "run_env(sa.MetaData())", "metadata = sa.MetaData()\nrun_env(metadata)")
    return made


@pytest.mark.parametrize("name", STATES)
def test_the_quick_way_says_what_the_full_way_says(
    case: Case, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    STATES[name](case)
    for arguments in COMMANDS:
        if arguments == ["upgrade"] and name in (
            "behind",
            "at base",
            "empty",
            "one more file",
            "another version table",
        ):
            continue  # it has something to do
        monkeypatch.setattr(cli, "FastPath", FastPath)
        quick = said(case, arguments, capsys)
        monkeypatch.setattr(cli, "FastPath", Migrator)
        full = said(case, arguments, capsys)
        if name == "a broken env.py":  # the tracebacks show the two ways
            quick, full = ((*answer[:2], answer[2].splitlines()[-3:]) for answer in (quick, full))
        assert quick == full, arguments


def said(case: Case, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    logging.root.handlers[:] = []
    code = cli.main(["--database-url", case.url, *arguments], config=case.ini)
    return code, *capsys.readouterr()


@pytest.mark.parametrize("name", ["at head", "other line ends"])
def test_with_nothing_to_do_neither_alembic_nor_sqlalchemy_is_loaded(case: Case, name: str, tmp_path: Path) -> None:
    STATES[name](case)
    before = state(case.url)
    plain = case.url.replace("postgresql+psycopg2", "postgresql")
    result = Project(ROOT, tmp_path).run(
        sys.executable, "-c", REPORTS_WHAT_IT_LOADED, str(case.ini), *map(" ".join, COMMANDS), url=plain
    )
    assert result.stderr == f"{[0] * len(COMMANDS)} []\n", result
    assert "Nothing to do: the database is at 003." in result.stdout
    assert state(case.url) == before


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_it_leaves_the_folder_of_a_sqlite_database_as_it_was(
    sqlite_url: str, tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "database").mkdir()
    case = project(tmp_path / "project", sqlite_url.replace("test.db", "database/test.db"))
    case.engine.upgrade()
    engine = sa.create_engine(case.url)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA journal_mode = {mode}").close()
    engine.dispose()
    before = contents(tmp_path / "database")
    for arguments in COMMANDS:
        assert said(case, arguments, capsys)[0] == 0
    assert contents(tmp_path / "database") == before


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_database_that_is_missing_stays_missing(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = project(tmp_path / "project", sqlite_url)
    for arguments in COMMANDS[:-1]:
        answers = []
        for way in (FastPath, Migrator):
            monkeypatch.setattr(cli, "FastPath", way)
            answers.append(said(case, arguments, capsys))
        assert answers[0] == answers[1]
        assert answers[0][0] == 2
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()
