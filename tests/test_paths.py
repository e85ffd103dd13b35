"""A project works in a folder of any name, whichever door is used; where Alembic's own program cannot, it says nothing false."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from migrator import Migrator
from tests.kit.fork_server import Forks, Job
from tests.kit.processes import Project

ALL_AT_ONCE = """50%% %2F %(here)s, é ü 日本's "x" a?b#c&d"""
NAMES = [
    "job%2Fbranch",
    "100%",
    "a%%b",
    "%(here)s",
    "two words",
    "é ü 日本",
    "it's",
    'say "hello"',
    "a?b#c&d",
]
# ConfigParser, as Alembic's own program sets it up, takes a % in %(here)s for the start of a name.
FOR_ALEMBIC = [name for name in NAMES if "%" not in name]


@pytest.fixture
def moved(project: Project, request: pytest.FixtureRequest) -> Project:
    """The project in a folder of that name, with its database in the same folder."""
    folder = project.path.parent / request.param / "project"
    folder.parent.mkdir()
    project.path.rename(folder)
    return Project(folder, project.home)


def versions_of(project: Project) -> list[str]:
    with closing(sqlite3.connect(project.path / "app.db")) as connection:
        return [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]


@pytest.mark.parametrize("moved", NAMES, indirect=True)
def test_every_command_works_in_a_folder_of_that_name(moved: Project, forks: Forks) -> None:
    for command, code in (
        (["upgrade"], 0),
        (["upgrade"], 0),  # nothing to do: the fast path
        (["history"], 0),
        (["check"], 0),
        (["revision", "-m", "Nothing"], 0),
        (["status", "--exit-code"], 1),
        (["downgrade", "011"], 0),
        (["current"], 0),
    ):
        (done,) = forks.run(Job(command, str(moved.path / "alembic.ini"), "sqlite:///app.db"))
        assert done.code == code, (command, done)
        assert "Traceback" not in done.stderr
    assert done.stdout == "011\n"
    assert (moved.path / "migrations" / "versions" / "013_nothing.py").is_file()
    assert versions_of(moved) == ["011"]


@pytest.mark.parametrize("moved", [ALL_AT_ONCE], indirect=True)
@pytest.mark.parametrize(
    "ini", ["", "sqlalchemy.url = sqlite:///%(here)s/app.db\n"], ids=["by default", "by alembic.ini"]
)
def test_a_real_process_works_there_from_any_other_folder(moved: Project, ini: str, tmp_path: Path) -> None:
    config = moved.path / "alembic.ini"
    config.write_text(config.read_text().replace("[alembic]\n", f"[alembic]\n{ini}"))
    assert moved.migrate("upgrade", cwd=tmp_path).code == 0
    assert moved.migrate("upgrade", cwd=tmp_path).stdout.endswith("Nothing to do: the database is at 012.\n")
    assert versions_of(moved) == ["012"]
    assert list(tmp_path.rglob("*.db")) == [moved.path / "app.db"]


@pytest.mark.parametrize("moved", NAMES, indirect=True)
def test_the_python_api_works_in_a_folder_of_that_name(moved: Project) -> None:
    migrations = Migrator(moved.path / "alembic.ini")
    assert [step.revision for step in migrations.upgrade("002").steps] == ["001", "002"]
    assert [step.revision for step in migrations.plan("003")] == ["003"]
    assert migrations.downgrade("001").after == ("001",)
    assert migrations.stamp("001").after == ("001",)
    assert versions_of(moved) == ["001"]


@pytest.mark.parametrize("moved", FOR_ALEMBIC, indirect=True)
def test_the_alembic_program_works_in_a_folder_of_that_name(moved: Project, tmp_path: Path) -> None:
    done = moved.alembic("-c", str(moved.path / "alembic.ini"), "upgrade", "head", cwd=tmp_path)
    assert done.code == 0, done
    assert versions_of(moved) == ["012"]


@pytest.mark.parametrize("moved", [name for name in NAMES if "%" in name], indirect=True)
def test_the_alembic_program_refuses_a_percent_sign_before_it_opens_anything(moved: Project) -> None:
    """The day that this fails, Alembic reads such a folder's name, and the documentation has a sentence too many."""
    done = moved.alembic("upgrade", "head")
    assert done.code != 0
    assert not (moved.path / "app.db").exists()
