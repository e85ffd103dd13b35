"""The command line: every command in a process of its own; its exit code, and what it says where."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from migrator import Migrator
from tests.kit import CONFIG
from tests.kit.assertions import assert_refused, files_of, revision_file
from tests.kit.database import tables
from tests.kit.processes import Project
from tests.kit.warm.environment import clean_environment

REVISIONS = [f"{number:03}" for number in range(1, 13)]
EVERY_COMMAND = [
    *("upgrade", "downgrade", "current", "status", "history", "log", "stamp"),
    *("branches", "check", "edit", "ensure_version", "heads", "init", "list_templates", "merge", "revision", "show"),
]
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def at(url: str) -> tuple[str, ...]:
    return Migrator(CONFIG, database_url=url).current()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["upgrade", "--help"], 0),
        ([], 2),
        (["frobnicate"], 2),
        (["upgrade", "--frobnicate"], 2),
        (["upgrade", "001", "002"], 2),
        (["upgrade", "--lock-wait", "soon"], 2),
        (["stamp"], 2),
    ],
)
def test_help_and_wrong_arguments_load_neither_alembic_nor_sqlalchemy(
    project: Project, arguments: list[str], code: int
) -> None:
    done = project.run(sys.executable, "-X", "importtime", "migrate.py", *arguments)
    assert done.code == code
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert {"argparse", "migrator"} <= loaded
    assert loaded.isdisjoint({"alembic", "sqlalchemy", "psycopg2", "mako"})
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert ("usage: migrate.py" in done.stdout, said == []) == ((True, True) if code == 0 else (False, False))
    assert code == 0 or "migrate.py" in said[-1]


def test_help_names_every_command_and_shows_examples(project: Project) -> None:
    done = project.migrate("--help")
    for command in EVERY_COMMAND:
        assert f"\n  {command} " in done.stdout
    for words in ("python migrate.py upgrade  ", "MIGRATION_DATABASE_URL", "Exit codes: 0 done, 1 the answer is no"):
        assert words in done.stdout


def test_up_and_down_with_results_on_stdout_and_progress_on_stderr(project: Project, database_url: str) -> None:
    done = project.migrate("upgrade", "002", url=database_url)
    assert done.code == 0
    _, applied, now = done.stdout.splitlines()
    assert applied.startswith("Applied 2 revisions in ")
    assert applied.endswith(": 001, 002.")
    assert now == "The database was at base and is at 002."
    assert done.stderr == ""
    told = project.migrate("-v", "upgrade", "+1", url=database_url)
    assert any(line.startswith("upgrade 003 in ") for line in told.stderr.splitlines())
    assert len(told.stdout.splitlines()) == 3
    for arguments, where in [
        (["upgrade", "+1"], "004"),
        (["downgrade", "-3"], "001"),
        (["downgrade"], "base"),
        (["upgrade"], "012"),
    ]:
        done = project.migrate(*arguments, url=database_url)
        assert (done.code, done.stdout.splitlines()[-1].partition("is at ")[2]) == (0, f"{where}."), done
    again = project.migrate("upgrade", url=database_url)
    assert (again.code, again.stderr) == (0, "")
    assert again.stdout.splitlines()[1:] == ["Nothing to do: the database is at 012."]
    quiet = project.migrate("--quiet", "downgrade", url=database_url)
    assert (quiet.code, quiet.stdout, quiet.stderr) == (0, "", "")
    assert at(database_url) == ("011",)


def test_a_revision_is_taken_by_the_beginning_of_its_id(project: Project, sqlite_url: str) -> None:
    path = revision_file(project, "012")
    path.write_text(path.read_text().replace('"012"', '"ab12cd"'))
    assert project.migrate("upgrade", "ab1", url=sqlite_url).code == 0
    assert at(sqlite_url) == ("ab12cd",)
    for command in ("upgrade", "downgrade"):
        refused = project.migrate(command, "0", url=sqlite_url)
        assert_refused(refused, "revision-ambiguous", "'0' is the beginning of more than one revision: 001, 002")


def test_status_counts_and_answers_with_its_exit_code(project: Project, database_url: str) -> None:
    Migrator(CONFIG, database_url=database_url).upgrade("010")
    done = project.migrate("status", url=database_url)
    assert (done.code, done.stderr) == (0, "")
    rows = [line.split("\t") for line in done.stdout.splitlines()[:12]]
    assert [(row[0], row[1]) for row in rows] == [(r, "applied" if r <= "010" else "pending") for r in REVISIONS]
    assert rows[11][-1] == "Add version to sections."
    assert done.stdout.splitlines()[-1] == "The database is at 010: 10 applied, 2 pending."
    gate = project.migrate("status", "--exit-code", "--json", url=database_url)
    found = json.loads(gate.stdout)
    assert (gate.code, gate.stderr) == (1, "")
    assert (found["at"], found["head"], found["pending"], len(found["revisions"])) == (["010"], "012", 2, 12)
    assert [r["revision"] for r in found["revisions"] if not r["applied"]] == ["011", "012"]
    Migrator(CONFIG, database_url=database_url).upgrade()
    assert project.migrate("status", "--exit-code", url=database_url).code == 0


def test_json_is_one_document_and_nothing_else(project: Project, postgres_url: str) -> None:
    Migrator(CONFIG, database_url=postgres_url).upgrade("002")
    done = {name: project.migrate(name, "--json", url=postgres_url) for name in ("current", "status", "history", "log")}
    assert {(one.code, one.stderr) for one in done.values()} == {(0, "")}
    found = {name: json.loads(one.stdout) for name, one in done.items()}
    assert found["current"]["at"] == found["status"]["at"] == ["002"]
    assert [entry["revision"] for entry in found["history"]] == REVISIONS
    assert [entry["revision"] for entry in found["log"]] == ["002", "001"]
    verbose = project.migrate("-v", "status", "--json", url=postgres_url)
    assert (json.loads(verbose.stdout), "SELECT" in verbose.stderr) == (found["status"], True)


def test_stamp_writes_the_version_and_runs_nothing(project: Project, database_url: str) -> None:
    stamped = project.migrate("stamp", "007", "--no-verify", url=database_url)
    assert (stamped.code, stamped.stdout.splitlines()[-1]) == (0, "The database was at base and is at 007.")
    assert "users" not in tables(database_url)
    assert project.migrate("stamp", "head", "--purge", "--no-verify", "-q", url=database_url).code == 0
    assert at(database_url) == ("012",)


def test_history_lists_the_files(project: Project) -> None:
    history = project.migrate("history", url=NOWHERE)
    assert (history.code, history.stderr) == (0, "")
    assert history.stdout.splitlines()[1] == "002\tCreate conversations."


def test_reading_commands_write_nothing(project: Project, database_url: str) -> None:
    empty = project.migrate("status", url=database_url)
    if database_url.startswith("sqlite"):
        assert_refused(empty, "database-missing", "There is no database at")
        url = f"sqlite:///{project.path / 'app.db'}"
        sqlite3.connect(project.path / "app.db").close()
    else:
        assert empty.stdout.splitlines()[-1] == "The database is at base: 0 applied, 12 pending."
        url = database_url
    assert tables(url) == set()
    for command in ("current", "check"):
        assert project.migrate(command, url=url).code == (2 if command == "check" else 0)
    assert tables(url) == set()
    Migrator(CONFIG, database_url=url).upgrade()
    (project.path / "app.db.migrator.lock").unlink(missing_ok=True)
    before = tables(url), files_of(project)
    for command in ("current", "status", "log", "check"):
        assert project.migrate(command, url=url).code == 0
    assert (tables(url), files_of(project)) == before


def test_commands_about_the_files_need_no_database_and_write_nothing(project: Project) -> None:
    files = files_of(project)
    for command in ("history --json", "heads", "branches", "show 001", "upgrade --sql"):
        assert project.migrate(*command.split(), url=NOWHERE).code == 0
        assert files_of(project) == files


def test_from_another_directory_with_options_before_and_after_the_command(project: Project, tmp_path: Path) -> None:
    assert project.migrate("upgrade", "001", cwd=tmp_path).code == 0
    assert (project.path / "app.db").exists()
    url = f"sqlite:///{tmp_path / 'other.db'}"
    for arguments in (["--database-url", url, "upgrade", "002"], ["upgrade", "--database-url", url, "003"]):
        assert project.migrate(*arguments, cwd=tmp_path).code == 0
    assert at(url) == ("003",)
    other = tmp_path / "other.ini"
    other.write_text(f"[alembic]\nscript_location = {project.path}/migrations\nprepend_sys_path = {project.path}\n")
    for arguments in (["-c", str(other), "upgrade", "004"], ["heads", "--config", "other.ini"]):
        assert project.migrate(*arguments, cwd=tmp_path).code == 0
    assert at(f"sqlite:///{tmp_path / 'app.db'}") == ("004",)


def test_verbose_shows_the_sql_on_stderr(project: Project, database_url: str) -> None:
    done = project.migrate("upgrade", "001", "-v", url=database_url)
    assert (done.code, len(done.stdout.splitlines())) == (0, 3)
    for words in ("CREATE TABLE users", "INSERT INTO alembic_version", "COMMIT"):
        assert words in done.stderr


@pytest.mark.parametrize(("variable", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_tables_and_colour_are_for_a_terminal(
    project: Project, sqlite_url: str, variable: dict[str, str], coloured: bool
) -> None:
    Migrator(CONFIG, database_url=sqlite_url).upgrade("011")
    ours, theirs = pty.openpty()
    environment = clean_environment(project.home) | {"DATABASE_URL": sqlite_url} | variable
    command = [sys.executable, "migrate.py", "status"]
    subprocess.run(command, cwd=project.path, env=environment, stdout=theirs, check=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert shown.splitlines()[0].split() == ["revision", "state", "applied", "at", "took", "description"]
    assert ("\033[33mpending" in shown, "\033[" in shown) == (coloured, coloured)
