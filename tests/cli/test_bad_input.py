"""Bad input: one clear error that says what to do, exit code 2, no traceback, and nothing changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from migrator import DatabaseError, HistoryError, Migrator
from tests.kit import CONFIG
from tests.kit.assertions import UNTOUCHED, assert_refused, assert_says, files_of
from tests.kit.database import tables
from tests.kit.postgres import Server
from tests.kit.processes import Project


@pytest.fixture
def at_007(database_url: str) -> str:
    """A database of each dialect at revision 007."""
    Migrator(CONFIG, database_url=database_url).upgrade("007")
    return database_url


def test_an_unknown_command(project: Project) -> None:
    done = project.migrate("upgarde")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.endswith("error: there is no command 'upgarde'; see python migrate.py --help\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["upgrade", "099"], "revision-unknown", "There is no revision '099' in the history"),
        (["upgrade", "0"], "revision-ambiguous", "'0' is the beginning of more than one revision: 001, 002"),
        (["upgrade", "+9"], "revision-out-of-reach", "'+9' cannot be reached from 007"),
        (["downgrade", "099"], "revision-unknown", "The history has 001 to 012"),
        (["downgrade", "-8"], "revision-out-of-reach", "'-8' cannot be reached from 007"),
        (["downgrade", "009"], "revision-out-of-reach", "'009' cannot be reached from 007"),
        (["stamp", "099"], "revision-unknown", "There is no revision '099' in the history"),
    ],
)
def test_a_revision_that_is_not_there(at_007: str, arguments: list[str], code: str, words: str) -> None:
    migrator = Migrator(CONFIG, database_url=at_007)
    with pytest.raises(HistoryError) as refused:
        getattr(migrator, arguments[0])(arguments[1])
    assert refused.value.exit_code == 2
    assert_says(str(refused.value), code, words)
    assert migrator.current() == ("007",)


def test_the_command_line_refuses_such_a_revision_in_the_same_words(project: Project, at_007: str) -> None:
    assert_refused(project.migrate("upgrade", "099", url=at_007), "revision-unknown", "There is no revision '099'")
    assert_refused(project.migrate("downgrade", "-8", url=at_007), "revision-out-of-reach", "'-8' cannot be reached")
    assert Migrator(CONFIG, database_url=at_007).current() == ("007",)


@pytest.mark.parametrize("arguments", [["upgrade", "099"], ["downgrade"], ["downgrade", "base"]])
def test_a_refused_command_makes_no_database(project: Project, arguments: list[str]) -> None:
    files = files_of(project)
    code = "revision-unknown" if "099" in arguments else "database-missing"
    assert_refused(project.migrate(*arguments), code)
    assert files_of(project) == files


def test_commands_that_are_handed_on_refuse_a_revision_in_our_words(project: Project) -> None:
    assert_refused(project.migrate("show", "099"), "revision-unknown", "There is no revision '099' in the history")
    assert_refused(project.migrate("edit", "0"), "revision-ambiguous", "'0' is the beginning of more than one")


def test_a_new_revision_needs_an_id_of_its_own(project: Project) -> None:
    for id_, code in (("012", "revision-id-taken"), ("x" * 33, "revision-too-long")):
        assert_refused(project.migrate("revision", "-m", "again", "--rev-id", id_), code, id_)
    assert len(list(project.path.glob("migrations/versions/*.py"))) == 12


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        (None, "config-missing", "There is no configuration file at"),
        (b"script_location = migrations\n", "config-unreadable", "no section headers"),
        (b"[alembic]\nscript_location = \xff\n", "config-unreadable", "can't decode byte 0xff"),
        (b"[alembic]\n", "scripts-missing", "script_location"),
        (b"[alembic]\nscript_location = %(here)s/nowhere\n", "scripts-missing", "nowhere"),
    ],
)
def test_a_configuration_that_cannot_be_used(project: Project, text: bytes | None, code: str, word: str) -> None:
    ini = project.path / "alembic.ini"
    ini.unlink() if text is None else ini.write_bytes(text)
    command = "heads" if code == "scripts-missing" else "upgrade"
    assert_refused(project.migrate(command), code, word)
    assert not (project.path / "app.db").exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///{path}", ["is a folder", "Name a file in it"]),
        ("sqlite:///{path}/migrate.py", ["file is not a database", "Correct the path"]),
        ("sqlite:///{path}/nowhere/app.db", ["unable to open database file", "See that the folder exists"]),
    ],
)
def test_a_sqlite_path_that_is_no_database(project: Project, url: str, words: list[str]) -> None:
    url = url.format(path=project.path)
    assert_refused(project.migrate("upgrade", url=url), "database-unreachable", *words)
    code = "database-missing" if "nowhere" in url else "database-unreachable"
    assert_refused(project.migrate("status", url=url), code)


def ordinary_user() -> list[str]:
    """What to put before a command so that file permissions bind it, as they do not bind root; nothing where that cannot be had."""
    if os.geteuid() != 0:
        return []
    wrapper = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
    able = shutil.which("unshare") and subprocess.run([*wrapper, "true"], capture_output=True).returncode == 0
    return wrapper if able else []


def test_a_sqlite_database_that_may_only_be_read(project: Project) -> None:
    path = project.path / "data/app.db"
    path.parent.mkdir()
    migrator = Migrator(CONFIG, database_url=f"sqlite:///{path}")
    migrator.upgrade("003")
    before = path.read_bytes()
    for lock in path.parent.glob("*.lock"):
        lock.unlink()
    runs = [(f"sqlite:///file:{path}?mode=ro&uri=true", [])]
    if os.geteuid() != 0 or ordinary_user():
        path.chmod(0o444)
        path.parent.chmod(0o555)
        runs += [(f"sqlite:///{path}", ordinary_user())]
    program = [sys.executable, "migrate.py"]
    for url, wrapper in runs:
        refused = project.run(*wrapper, *program, "upgrade", url=url)
        assert_refused(refused, "database-unreachable", "write permission")
        status = project.run(*wrapper, *program, "status", "--exit-code", url=url)
        assert (status.code, status.stdout.splitlines()[-1]) == (1, "The database is at 003: 3 applied, 9 pending."), (
            status
        )
    path.parent.chmod(0o755)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["app.db"]


def test_a_postgresql_that_cannot_be_reached(project: Project, postgres_server: Server, postgres_url: str) -> None:
    url = make_url(postgres_url)
    cases = [
        (url.set(host="nowhere.invalid", password="hunter2"), ["translate host name", "Correct the host's name"]),
        (url.set(username="nobody", password="hunter2"), ['role "nobody" does not exist', "createuser"]),
        (url.update_query_dict({"sslmoed": "hunter2"}), ['invalid connection option "sslmoed"']),
        (url.set(port=1, password="hunter2"), ["Connection refused", "Start PostgreSQL"]),
        (url.set(database="none such", password="hunter2"), ['database "none such" does not exist', "createdb"]),
        (
            make_url(postgres_server.guarded(postgres_url, password="hunter2")),
            ["password authentication failed", "percent-encoded"],
        ),
    ]
    for broken, words in cases:
        text = broken.render_as_string(hide_password=False)
        with pytest.raises(DatabaseError) as refused:
            Migrator(CONFIG, database_url=text).upgrade()
        assert_says(str(refused.value), "database-unreachable", *words)
        assert "hunter2" not in str(refused.value) or "sslmoed" in text
    for broken, words in cases[3:]:
        text = broken.render_as_string(hide_password=False)
        refusal = project.migrate("upgrade", url=text)
        assert_refused(refusal, "database-unreachable", "The URL is from DATABASE_URL", *words)
        assert "hunter2" not in refusal.stderr
    said = project.alembic("upgrade", "head", url=text)
    assert ("Traceback" in said.stderr, "hunter2" in said.stdout + said.stderr) == (False, False)
    assert_says(said.stdout, "database-unreachable", "FAILED: ", *words)
    assert tables(postgres_url) == set()


def test_a_file_that_cannot_be_written_is_named(project: Project) -> None:
    path = project.path / "migrations/versions/013_new.py"
    path.mkdir()
    refused = project.migrate("revision", "-m", "new")
    assert (refused.code, "Traceback" in refused.stderr) == (2, False)
    assert_says(refused.stderr, "file-unusable", str(path), consequence=UNTOUCHED)


def test_an_error_in_a_model_is_shown_whole_and_is_no_answer(project: Project, sqlite_url: str) -> None:
    users = project.path / "app/models/users.py"
    users.write_text(users.read_text() + "\nraise RuntimeError('in a model')\n")
    broken = project.migrate("upgrade", url=sqlite_url)
    assert (broken.code, broken.stdout) == (2, "")
    assert "RuntimeError: in a model\n" in broken.stderr
    assert UNTOUCHED not in broken.stderr
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()
