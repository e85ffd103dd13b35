"""The engine runs on the least versions that it states, and refuses older ones before it changes anything."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import alembic
import pytest

import migrator
from migrator import versions
from tests.kit.database import ask, execute, heads, logged, rows
from tests.kit.processes import Project
from tests.kit.projects import miniature
from tests.packaging.environments import ROOT, Environment, environment, shared

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ANIMALS = """
def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    op.create_table(
        "legs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("animal", sa.Integer, sa.ForeignKey("animals.id", name="fk_legs_animal", ondelete="CASCADE")),
    )
    op.execute("INSERT INTO animals VALUES (1, 'ant')")
    op.execute("INSERT INTO legs VALUES (1, 1), (2, 1)")


def downgrade():
    op.drop_table("legs")
    op.drop_table("animals")
"""
REBUILDS = """
def upgrade():
    with op.batch_alter_table("animals") as batch:
        batch.alter_column("name", new_column_name="word", type_=sa.String(50), existing_type=sa.Text, nullable=False)
        batch.create_unique_constraint("uq_animals_name", ["name"])


def downgrade():
    with op.batch_alter_table("animals") as batch:
        batch.drop_constraint("uq_animals_name", type_="unique")
        batch.alter_column("word", new_column_name="name", type_=sa.Text, existing_type=sa.String(50), nullable=True)
"""


def least(name: str) -> str:
    """The least version of a package that pyproject.toml allows."""
    everything = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["postgresql"]]
    (found,) = [text for text in everything if re.match(rf"{name}\b", text)]
    return str(re.search(r">=([\d.]+)", found)[1])  # type: ignore[index]


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh environment with the least version of everything, from the index."""
    names = ("alembic", "sqlalchemy", "filelock", "python-dotenv", "psycopg2-binary")
    return environment(shared(tmp_path_factory, "oldest"), *(f"{name}=={least(name)}" for name in names))


def test_the_stated_versions_are_the_same_everywhere() -> None:
    assert {name: least(name) for name in versions.LEAST} == versions.LEAST
    assert PROJECT["requires-python"] == ">=3.11"


def test_the_project_goes_up_and_down_and_is_adopted(oldest: Environment, project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    for command, code in (
        (["upgrade"], 0),
        (["downgrade", "004"], 0),
        (["upgrade"], 0),
        (["check"], 0),
        (["stamp", "011"], 1),  # another schema: refused
        (["stamp", "012"], 0),
    ):
        done = oldest.run("python", "migrate.py", *command, cwd=project.path, url=url)
        assert done.code == code, (command, done)
    execute(url, "DROP TABLE alembic_version", "DROP TABLE migration_log")
    done = oldest.run("python", "migrate.py", "adopt", cwd=project.path, url=url)
    assert done.code == 0, done
    assert heads(url) == ["012"]


def test_a_rebuild_keeps_the_children(oldest: Environment, project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    config = miniature(tmp_path / "animals", ANIMALS, REBUILDS)
    for command in (["upgrade"], ["downgrade"], ["upgrade"]):
        done = oldest.run("python", "migrate.py", "-c", config, *command, cwd=project.path, url=url)
        assert done.code == 0, done
        assert rows(url, "SELECT id, animal FROM legs") == [(1, 1), (2, 1)]
    sql = ask(url, "SELECT sql FROM sqlite_master WHERE name = 'animals'")
    assert re.search(r"uq_animals_name\W+UNIQUE \(\W*word\W*\)", str(sql)), sql


def test_postgresql_goes_up_and_down(oldest: Environment, project: Project, postgres_url: str) -> None:
    for command in (["upgrade"], ["downgrade", "010"], ["upgrade"], ["check"], ["current"]):
        done = oldest.run("python", "migrate.py", *command, cwd=project.path, url=postgres_url)
        assert done.code == 0, (command, done)
    assert done.stdout == "012\n"
    assert logged(postgres_url)[-2:] == ["011", "012"]


@pytest.mark.parametrize(
    ("package", "old"), [("alembic", "1.15.2"), ("sqlalchemy", "2.0.44"), ("sqlalchemy", "2.0.9b1")]
)
def test_an_older_package_is_refused_at_every_door(package: str, old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[package], "__version__", old)
    for name in ("Migrator", "run", "run_env"):
        with pytest.raises(migrator.SettingsError) as refused:
            getattr(migrator, name)
        assert refused.value.code == "version-too-old"
    text = str(refused.value)
    assert text.startswith(
        f"The package {package} {old} is too old: the engine needs {versions.LEAST[package]} or later."
    )
    assert f"python -m pip install '{package}>={versions.LEAST[package]}'" in text


@pytest.mark.parametrize(
    ("version", "plugins"), [("1.16.0", 0), ("1.19.1", 0), ("1.19.2", 1), ("1.20.1", 1), ("2.0", 1)]
)
def test_check_constraints_are_compared_where_alembic_can(
    version: str, plugins: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alembic, "__version__", version)
    assert len(versions.check_plugins()) == plugins


@pytest.mark.parametrize("path", ["migrate.py", "migrator/__init__.py"])
def test_an_older_python_can_read_the_file_that_refuses_it(path: str) -> None:
    ast.parse((ROOT / path).read_text(encoding="utf-8"), feature_version=(3, 6))


def older_pythons() -> list[str]:
    """The Pythons older than 3.11 that this machine has."""
    names = [f"python3.{minor}" for minor in range(6, 11)]
    found = [path for name in names if (path := shutil.which(name))]
    found += [str(path) for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))]
    question = ["-c", "import sys; print(sys.version_info[:2] < (3, 11))"]
    return [path for path in found if b"True" in subprocess.run([path, *question], capture_output=True).stdout]


def test_an_older_python_is_refused_with_one_clear_message(project: Project, tmp_path: Path) -> None:
    pythons = older_pythons()
    if not pythons:
        pytest.skip("this machine has no Python older than 3.11")
    for python in pythons:
        done = project.run(python, "migrate.py", "upgrade")
        assert done.code == 2, done
        assert done.stderr.startswith("error: migrate.py needs Python 3.11 or later; this is 3.")
        assert "Traceback" not in done.stderr
        assert not (project.path / "app.db").exists()
        imported = project.run(python, "-c", "import migrator")
        assert "\nImportError: migrator needs Python 3.11 or later; this is 3." in imported.stderr
