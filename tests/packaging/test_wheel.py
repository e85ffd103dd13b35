"""The wheel holds the engine and nothing else, and serves a project that `alembic init` made."""

import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.kit.database import heads, logged
from tests.kit.doors import OURS, THEIRS
from tests.packaging.environments import ROOT, Environment, build_wheel, environment, pinned, shared

REVISION = '''"""Create animals."""

import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("animals")
'''


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(shared(tmp_path_factory, "wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh environment with the wheel, its extra for PostgreSQL, and what both need."""
    names = ("alembic", "sqlalchemy", "filelock", "python-dotenv", "psycopg2-binary")
    return environment(shared(tmp_path_factory, "installed"), f"{wheel}[postgresql]", *map(pinned, names))


def test_the_wheel_holds_every_file_of_the_engine_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        entry_points = next(name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        assert "migrator = migrator.cli.main:console" in archive.read(entry_points).decode()
    engine = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "migrator").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == engine
    assert {"migrator/py.typed", "migrator/scaffold/project/dot-gitignore"} <= held


def test_the_wheel_names_its_extras_and_leaves_the_driver_to_one(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    assert set(metadata.get_all("Provides-Extra", [])) == {"postgresql", "baseline", "dev"}
    plain = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]
    assert sorted(text.partition("<")[0].partition(">")[0] for text in plain) == [
        "alembic",
        "filelock",
        "python-dotenv",
        "sqlalchemy",
    ]


@pytest.mark.parametrize("program", ["alembic", "migrator"])
def test_a_project_of_alembic_init_is_upgraded_once_three_lines_are_changed(
    installed: Environment, program: str, database_url: str, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    made = installed.run("alembic", "init", "migrations", cwd=project)
    assert made.code == 0, made
    (project / "migrations" / "versions" / "001_create_animals.py").write_text(REVISION)
    env, ini = project / "migrations" / "env.py", project / "alembic.ini"
    text = env.read_text()
    assert text.count(THEIRS["generic"]) == 1
    text = text.replace(THEIRS["generic"], OURS["generic"])
    env.write_text(text.replace("from alembic import context\n", "from alembic import context\nimport migrator\n"))
    ini.write_text(ini.read_text().replace("driver://user:pass@localhost/dbname", database_url.replace("%", "%%")))

    done = installed.run(program, "upgrade", "head", cwd=project)

    assert done.code == 0, done
    assert (heads(database_url), logged(database_url)) == (["001"], ["001"])
    if program == "migrator":
        assert "Applied 1 revision" in done.stdout
        assert installed.run("migrator", "current", cwd=project).stdout == "001\n"
        wrong = installed.run("migrator", "upgrade", "099", cwd=project)
        assert (wrong.code, "\n  migrator history\n" in wrong.stderr) == (2, True)
        assert installed.run("migrator", "--help", cwd=project).stdout.startswith("usage: migrator [options]")
        elsewhere = installed.run("migrator", "current", cwd=tmp_path)
        assert (elsewhere.code, "There is no configuration file at " in elsewhere.stderr) == (2, True)


def test_the_installed_package_is_typed_and_makes_a_project(installed: Environment, tmp_path: Path) -> None:
    where = installed.run("python", "-c", "import migrator; print(migrator.__file__)").stdout.strip()
    assert Path(where).is_relative_to(installed.path)
    assert Path(where).with_name("py.typed").is_file()
    made = installed.run("migrator", "scaffold", "shop", cwd=tmp_path)
    assert made.code == 0, made
    upgraded = installed.run("python", "migrate.py", "upgrade", cwd=tmp_path / "shop")
    assert upgraded.code == 0, upgraded
    assert not list((tmp_path / "shop").rglob("*.egg-info"))
