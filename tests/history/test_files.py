"""Faults of the revision files: each is named with its file before anything is written, whichever program is asked."""

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from migrator import HistoryError, Migrator, MigratorError
from tests.kit import CONFIG
from tests.kit.assertions import assert_refused, assert_says, files_of, revision_file
from tests.kit.database import state
from tests.kit.processes import Project
from tests.kit.projects import ANIMALS, PLANTS, STONES, miniature, revision_path


def spoilt(project: Project, revision: str, change: Callable[[str], str]) -> None:
    path = revision_file(project, revision)
    path.write_text(change(path.read_text()))


def _syntax(project: Project) -> None:
    spoilt(project, "007", lambda text: text.replace("def upgrade() -> None:", "def upgrade( -> None:"))


def _raises(project: Project) -> None:
    spoilt(
        project, "007", lambda text: text.replace("def upgrade", "raise ValueError('on import')\n\n\ndef upgrade", 1)
    )


def _no_id(project: Project) -> None:
    spoilt(project, "007", lambda text: re.sub(r"(?m)^revision.*$", "", text))


def _undecodable(project: Project) -> None:
    path = revision_file(project, "007")
    path.write_bytes(path.read_bytes() + b"# caf\xe9\n")


def _duplicate(project: Project) -> None:
    shutil.copy(revision_file(project, "012"), project.path / "migrations/versions/012_copy.py")


def _long_id(project: Project) -> None:
    spoilt(project, "012", lambda text: text.replace('"012"', f'"{"0123456789" * 4}"'))


def _two_heads(project: Project) -> None:
    for id_ in ("013", "014"):
        text = revision_file(project, "012").read_text().replace('"012"', f'"{id_}"').replace('"011"', '"012"')
        (project.path / f"migrations/versions/{id_}_new.py").write_text(text)


def _no_parent(project: Project) -> None:
    revision_file(project, "007").unlink()


def _circle(project: Project) -> None:
    spoilt(project, "010", lambda text: text.replace('"009"', '"012"'))


def _no_upgrade(project: Project) -> None:
    spoilt(project, "008", lambda text: text.replace("def upgrade(", "def upgarde("))


def _no_versions(project: Project) -> None:
    shutil.rmtree(project.path / "migrations/versions")


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (_syntax, "revision-does-not-load", ["007_create_reports.py does not load: ", "(line 19)"]),
        (_raises, "revision-does-not-load", ["007_create_reports.py does not load: ValueError: on import (line 19)"]),
        (_no_id, "revision-does-not-load", ["007_create_reports.py", "'revision' variable"]),
        (_undecodable, "revision-does-not-load", ["007_create_reports.py", "can't decode byte 0xe9"]),
        (_duplicate, "revision-duplicate", ["id 012: 012_add_version_to_sections.py, 012_copy.py"]),
        (_long_id, "revision-too-long", ["012_add_version_to_sections.py has 40 characters"]),
        (
            _two_heads,
            "heads-several",
            ["2 heads: 013 (013_new.py), 014 (014_new.py)", "merge -m 'join 013 and 014' 013 014"],
        ),
        (_no_parent, "parent-missing", ["Revision 008 (008_create_user_sessions.py) comes after 007"]),
        (_circle, "history-cycle", ["The revisions 0", "come after one another in a circle", "010_create_memories.py"]),
        (_no_upgrade, "revision-incomplete", ["Revision 008 (008_create_user_sessions.py) has no upgrade()"]),
        (_no_versions, "versions-missing", ["There is no folder of revisions at", "migrations/versions"]),
    ],
)
def test_a_history_with_a_fault_is_refused_before_anything_is_written(
    project: Project, sqlite_url: str, spoil: Callable[[Project], None], code: str, words: list[str]
) -> None:
    migrator = Migrator(CONFIG, database_url=sqlite_url)
    migrator.upgrade("003")
    log = migrator.log()
    spoil(project)
    files = files_of(project)
    assert_refused(project.migrate("upgrade", url=sqlite_url), code, *words)
    spoiled = Migrator(project.path / "alembic.ini", database_url=sqlite_url)
    commands = [spoiled.status, spoiled.plan, spoiled.history, lambda: spoiled.sql("upgrade", "003:head")]
    if code == "heads-several":  # the history itself can be read; what has two meanings is "head"
        assert (spoiled.status().heads, spoiled.status().head, len(spoiled.history())) == (("013", "014"), None, 14)
        commands = commands[3:]
    for command in [spoiled.plan, *([] if code == "revision-incomplete" else commands)]:
        with pytest.raises(HistoryError) as refused:
            command()
        assert_says(str(refused.value), code, *words)
    assert files_of(project) == files
    assert (migrator.current(), migrator.log()) == (("003",), log)


NOT_RUN = {
    "a generator": "def upgrade():\n    op.create_table('plants')\n    yield",
    "a coroutine": "async def upgrade():\n    op.create_table('plants')",
    "an asynchronous generator": "async def upgrade():\n    op.create_table('plants')\n    yield",
}


@pytest.mark.parametrize("kind", NOT_RUN)
def test_a_function_of_which_python_runs_nothing_is_refused(sqlite_url: str, tmp_path: Path, kind: str) -> None:
    migrator = Migrator(miniature(tmp_path / "project", ANIMALS, NOT_RUN[kind]), database_url=sqlite_url)
    migrator.upgrade("001")
    before = state(sqlite_url)
    for command in (migrator.upgrade, migrator.plan, partial(migrator.sql, "upgrade", "001:head")):
        with pytest.raises(HistoryError) as refused:
            command()
        what = "The upgrade() of revision 002 (002_step.py) is a"
        assert_says(str(refused.value), "revision-not-run", what, kind.rpartition(" ")[2])
    assert state(sqlite_url) == before
    with pytest.raises(MigratorError, match="calling it runs nothing of it"):
        migrator.stamp("002")
    assert state(sqlite_url) == before


@pytest.mark.parametrize("kind", NOT_RUN)
def test_a_function_that_returns_what_was_not_run_is_rolled_back(database_url: str, tmp_path: Path, kind: str) -> None:
    own = NOT_RUN[kind].replace("def upgrade", "def later")
    body = f"{own}\n\n\ndef upgrade():\n    op.execute('CREATE TABLE trees (id INTEGER)')\n    return later()"
    migrator = Migrator(miniature(tmp_path / "project", ANIMALS, body), database_url=database_url)
    migrator.upgrade("001")
    before = state(database_url)
    with pytest.raises(HistoryError) as refused:
        migrator.upgrade()
    rolled_back = "The upgrade of 002 was rolled back; the database is at 001."
    assert_says(str(refused.value), "revision-not-run", "of revision 002 (002_step.py)", consequence=rolled_back)
    assert state(database_url) == before


def test_only_the_function_of_the_direction_that_is_taken_is_asked_for(database_url: str, tmp_path: Path) -> None:
    ini = Path(miniature(tmp_path / "project", ANIMALS, PLANTS, STONES))
    path = revision_path(ini, "002")
    path.write_text(path.read_text().partition("def downgrade")[0])
    migrator = Migrator(ini, database_url=database_url)
    assert migrator.upgrade().after == ("003",)
    assert migrator.downgrade("002").after == ("002",)
    migrator.upgrade()
    before = state(database_url)
    for command in (partial(migrator.downgrade, "base"), partial(migrator.plan, "001", "downgrade")):
        with pytest.raises(HistoryError) as refused:
            command()
        assert_says(str(refused.value), "revision-incomplete", "Revision 002 (002_step.py) has no downgrade()")
    assert state(database_url) == before


@pytest.mark.parametrize("arguments", [["heads"], ["show", "002"], ["revision", "-m", "new"]])
def test_commands_that_are_handed_on_name_the_fault_too(project: Project, arguments: list[str]) -> None:
    _syntax(project)
    assert_refused(project.migrate(*arguments), "revision-does-not-load", "007_create_reports.py", "(line 19)")


@pytest.mark.parametrize(
    ("spoil", "arguments", "code", "word"),
    [
        (_syntax, ["upgrade", "head"], "revision-does-not-load", "007_create_reports.py"),
        (_no_parent, ["current"], "parent-missing", "008_create_user_sessions.py"),
        (_two_heads, ["upgrade", "head"], "heads-several", "python migrate.py merge -m 'join 013 and 014' 013 014"),
        (_no_versions, ["upgrade", "head", "--sql"], "versions-missing", "migrations/versions"),
        (None, ["upgrade", "099"], "revision-unknown", "'099'"),
        (None, ["upgrade", ""], "range-invalid", "''"),
        (None, ["downgrade", "-8"], "revision-out-of-reach", "'-8' cannot be reached from 007"),
    ],
)
def test_alembic_itself_says_the_same(
    project: Project,
    sqlite_url: str,
    spoil: Callable[[Project], None] | None,
    arguments: list[str],
    code: str,
    word: str,
) -> None:
    Migrator(CONFIG, database_url=sqlite_url).upgrade("007")
    if spoil is not None:
        spoil(project)
    said = project.alembic(*arguments, url=sqlite_url)
    assert (said.code, "Traceback" in said.stderr) == (255, False), said
    assert_says(said.stdout, code, "FAILED: ", word)


def test_a_missing_env_py(project: Project, sqlite_url: str) -> None:
    (project.path / "migrations/env.py").unlink()
    for command in ("upgrade", "status"):
        refused = project.migrate(command, url=sqlite_url)
        assert_refused(refused, "scripts-missing", "There is no env.py in", "script_location")


def test_the_database_says_where_it_is_whatever_is_wrong_with_the_files(project: Project, database_url: str) -> None:
    Migrator(CONFIG, database_url=database_url).upgrade("003")
    _syntax(project)
    _no_parent(project)
    assert project.migrate("current", url=database_url).stdout == "003\n"


def test_a_revision_in_another_encoding_is_read_as_python_reads_it(project: Project, sqlite_url: str) -> None:
    path = revision_file(project, "001")
    path.write_bytes(b"# -*- coding: latin-1 -*-\n" + path.read_bytes() + "# café\n".encode("latin-1"))
    migrator = Migrator(project.path / "alembic.ini", database_url=sqlite_url)
    migrator.upgrade("001")
    assert not migrator.status().revisions[0].edited
    assert [entry.outcome for entry in migrator.log()] == ["done"]
    assert migrator.downgrade().after == ()


def test_a_database_that_is_at_an_unknown_revision(project: Project, database_url: str) -> None:
    migrator = Migrator(CONFIG, database_url=database_url, log=False)
    migrator.upgrade("012")
    revision_file(project, "012").unlink()
    for command in ("upgrade", "status"):
        refused = project.migrate(command, url=database_url)
        assert_refused(refused, "database-unknown-revision", "The database is at 012, and no revision file has that id")
    assert migrator.current() == ("012",)
