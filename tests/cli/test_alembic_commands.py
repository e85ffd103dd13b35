"""The commands of Alembic's that `migrate.py` hands on: the same work, our exit codes and our words."""

import sqlite3
from pathlib import Path

import pytest
from alembic.util import CommandError
from sqlalchemy import make_url

from migrator import HistoryError, Migrator
from tests.kit import CONFIG
from tests.kit.assertions import assert_refused, assert_says, revision_file
from tests.kit.database import tables
from tests.kit.processes import Project
from tests.kit.projects import ANIMALS, PLANTS, miniature

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def at(url: str) -> tuple[str, ...]:
    return Migrator(CONFIG, database_url=url).current()


def test_alembics_own_commands_are_handed_on(project: Project, sqlite_url: str) -> None:
    assert project.migrate("heads", url=NOWHERE).stdout == "012 (head)\n"
    assert "Parent: 001" in project.migrate("show", "002", url=NOWHERE).stdout
    assert "generic" in project.migrate("list_templates").stdout
    assert (
        project.migrate("edit", "003", environment={"EDITOR": "cat"}).stdout
        == revision_file(project, "003").read_text()
    )
    for number in ("013", "014"):
        made = project.migrate("revision", "-m", f"Try {number}", "--head", "012", "--splice", url=NOWHERE)
        assert made.code == 0, made
        assert revision_file(project, number).exists()
    assert "012 (branchpoint)" in project.migrate("branches").stdout
    assert_refused(
        project.migrate("upgrade", url=sqlite_url), "heads-several", "013 (013_try_013.py), 014 (014_try_014.py)"
    )
    assert project.migrate("merge", "-m", "Join", "013", "014", "--rev-id", "015", url=NOWHERE).code == 0
    assert project.migrate("upgrade", url=sqlite_url).code == 0
    assert at(sqlite_url) == ("015",)
    assert project.migrate("init", "elsewhere").code == 0
    assert (project.path / "elsewhere/env.py").exists()


def test_check_answers_with_its_exit_code(project: Project, database_url: str) -> None:
    Migrator(CONFIG, database_url=database_url).upgrade("011")
    behind = project.migrate("check", url=database_url)
    assert_refused(behind, "not-comparable", "python migrate.py upgrade head")
    Migrator(CONFIG, database_url=database_url).upgrade()
    clean = project.migrate("check", "-q", url=database_url)
    assert (clean.code, clean.stdout, clean.stderr) == (0, "No new upgrade operations detected.\n", "")
    model = project.path / "app/models/documents.py"
    model.write_text(model.read_text().replace("String(255)", "String(256)", 1))
    differs = project.migrate("check", url=database_url)
    assert differs.code == 1
    assert "modify_type" in differs.stdout


def test_ensure_version_makes_the_version_table(project: Project, database_url: str) -> None:
    if database_url.startswith("sqlite"):
        sqlite3.connect(str(make_url(database_url).database)).close()
    done = project.migrate("ensure_version", url=database_url)
    assert (done.code, tables(database_url)) == (0, {"alembic_version"}), done


def test_alembics_own_refusal_is_shown_in_its_own_words(tmp_path: Path, sqlite_url: str) -> None:
    engine = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS), database_url=sqlite_url)

    def refuse(config: object) -> None:
        raise CommandError("nothing to merge here")

    with pytest.raises(HistoryError) as refused:
        engine.call(refuse)
    assert refused.value.code == "alembic"
    assert_says(str(refused.value), "alembic", "nothing to merge here", consequence="This is Alembic's own answer.")
