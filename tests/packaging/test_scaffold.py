"""`scaffold DIR` makes a project whose `make upgrade && make test` pass, and never leaves half of one behind."""

import shutil
from pathlib import Path

import pytest

from migrator import SettingsError
from migrator.cli.main import main
from migrator.scaffold import create as creating
from migrator.scaffold.create import create, templates
from tests.kit.processes import Project, Result
from tests.packaging.environments import ROOT

# The new project's own; every other file is this repository's, byte for byte.
OWN = {
    *("Makefile", "README.md", "pyproject.toml", "requirements/dev.txt", "tests/test_migrations.py"),
    *("app/models/__init__.py", "app/models/notes.py", "migrations/versions/001_create_notes.py"),
}
# What this repository has in its .gitignore for itself alone.
NOT_COPIED = "!tests/scenarios/**/*.db\n"
TAG = '''"""Words for a note."""

import uuid

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Created, Identified


class Tag(Identified, Created, Base):
    """One word for one note."""

    __tablename__ = "tags"

    note_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"), index=True)
    word: Mapped[str] = mapped_column(String(50))
'''


def make(project: Project, *targets: str, **variables: str) -> Result:
    return project.run("make", *targets, environment=variables, timeout=300)


def test_the_two_commands_pass_and_a_model_is_added(project: Project, postgres_url: str, tmp_path: Path) -> None:
    made = project.migrate("scaffold", str(tmp_path / "new shop"))
    assert (made.code, made.stderr) == (0, "")
    assert f"cd '{tmp_path / 'new shop'}'\n  make upgrade && make test" in made.stdout
    new = Project(tmp_path / "new shop", project.home)
    upgraded = make(new, "upgrade")
    assert upgraded.code == 0, upgraded
    assert "Applied 1 revision" in upgraded.stdout
    assert (new.path / "app.db").is_file()
    tested = make(new, "test", TEST_DATABASE_URL=postgres_url)
    assert tested.code == 0, tested
    assert "7 passed" in tested.stdout

    (new.path / "app" / "models" / "tags.py").write_text(TAG)
    models = new.path / "app" / "models" / "__init__.py"
    models.write_text(models.read_text() + "\nfrom app.models.tags import Tag as Tag  # noqa: E402\n")
    python = str(new.path / ".venv" / "bin" / "python")
    assert new.run(python, "migrate.py", "check").code == 1
    assert new.run(python, "migrate.py", "revision", "--autogenerate", "-m", "Create tags").code == 0
    assert "create_table" in (new.path / "migrations" / "versions" / "002_create_tags.py").read_text()
    again = make(new, "upgrade", "test")
    assert again.code == 0, again
    assert "Applied 1 revision" in again.stdout
    assert "4 passed, 3 skipped" in again.stdout


def test_the_files_are_this_repository_s_own(tmp_path: Path) -> None:
    create(tmp_path / "new")
    names = {path.as_posix() for path in templates()}
    assert names >= OWN
    for name in names - OWN:
        here = (ROOT / name).read_text(encoding="utf-8")
        expected = here.replace(NOT_COPIED, "") if name == ".gitignore" else here
        assert (tmp_path / "new" / name).read_text(encoding="utf-8") == expected, name
    pins = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    for line in (tmp_path / "new" / "requirements" / "dev.txt").read_text(encoding="utf-8").splitlines():
        assert line.startswith("    #") or line in pins.splitlines(), line


def test_the_engine_is_copied_whole_and_without_caches(tmp_path: Path) -> None:
    files = create(tmp_path / "new")
    copied = {path.relative_to(tmp_path / "new").as_posix() for path in files}
    engine = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "migrator").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert copied == engine | {path.as_posix() for path in templates()}
    for name in engine:
        assert (tmp_path / "new" / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.parametrize("kind", ["missing", "deep", "empty"])
def test_a_new_and_an_empty_folder_will_do(kind: str, tmp_path: Path) -> None:
    target = tmp_path / ("a/b/c" if kind == "deep" else "new")
    if kind == "empty":
        target.mkdir()
    create(target)
    assert (target / "migrate.py").is_file()


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    assert main(["scaffold", str(tmp_path)], config=tmp_path / "no.ini") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(
        f"error: The folder {tmp_path} is not empty: it contains kept.txt.\nNothing was changed."
    )
    assert f"scaffold {tmp_path}-new" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    with pytest.raises(SettingsError) as refused:
        create(tmp_path)
    assert refused.value.code == "scaffold-not-empty"


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SettingsError) as refused:
        create(tmp_path / "file")
    assert refused.value.code == "file-unusable"
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("empty", [True, False])
def test_nothing_is_left_of_one_that_fails(
    failure: BaseException, empty: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path, **options: object) -> None:
        target.mkdir()
        (target / "half.py").touch()
        raise failure

    target = tmp_path / "a" / "new"
    if empty:
        target.mkdir(parents=True)
    monkeypatch.setattr(shutil, "copytree", fail)
    with pytest.raises((SettingsError, KeyboardInterrupt)):
        creating.create(target)
    assert sorted(path.name for path in tmp_path.rglob("*")) == (["a", "new"] if empty else [])
