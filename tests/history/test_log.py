"""`migration_log`: what really ran, in every column, and who may see it."""

import getpass
import hashlib
import json
import socket
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

import migrator
from migrator import Migrator, StepFailed
from tests.kit.database import ask, connected, execute, heads, logged, rows, tables
from tests.kit.fork_server import Forks, Job
from tests.kit.postgres import GUARDED_PASSWORD, Server
from tests.kit.projects import ANIMALS, NOTHING, miniature, revision_path, write_revisions

TELLS_SECRETS = """
def upgrade():
    op.execute("SELECT 1")
    url = sa.make_url(os.environ["SECRET_URL"])
    raise RuntimeError(f"{url.password} {url.render_as_string(hide_password=False)} {url.password!r}")
"""
OWN_FILTER = """
import sqlalchemy as sa
from migrator import run_env

def include_name(name, type_, parent_names):
    return name != "animals"

run_env(sa.MetaData(), include_name=include_name)
"""


def git(directory: Path, *arguments: str) -> str:
    author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    done = subprocess.run(["git", *author, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_every_column_says_what_ran(database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "animals", ANIMALS)
    file = revision_path(tmp_path / "animals", "001")
    git(tmp_path / "animals", "init", "-q")
    git(tmp_path / "animals", "add", ".")
    git(tmp_path / "animals", "commit", "-qm", "first")
    engine, before = Migrator(config, database_url=database_url), datetime.now(UTC)
    engine.upgrade()
    (entry,) = engine.log()
    assert before <= entry.started_at <= entry.finished_at <= datetime.now(UTC)
    assert entry.duration_ms == round((entry.finished_at - entry.started_at).total_seconds() * 1000)
    assert (entry.revision, entry.description) == ("001", "Revision 001.")
    assert (entry.direction, entry.outcome) == ("upgrade", "done")
    assert entry.database_user == ("postgres" if "postgresql" in database_url else None)
    assert (entry.os_user, entry.host) == (getpass.getuser(), socket.gethostname())
    assert entry.program == f"migrator {migrator.__version__}, alembic {version('alembic')}"
    assert entry.git_commit == git(tmp_path / "animals", "rev-parse", "HEAD")
    assert (entry.file, entry.source) == ("001_step.py", file.read_text())
    assert entry.checksum == hashlib.sha256(file.read_bytes().rstrip(b"\n")).hexdigest()
    assert (entry.error, entry.statements) == (None, None)
    assert set(vars(entry)) == columns(database_url)


def columns(url: str) -> set[str]:
    with connected(url) as connection:
        return set(connection.exec_driver_sql("SELECT * FROM migration_log").keys())


def test_what_goes_down_and_what_is_stamped_is_recorded_too(database_url: str, tmp_path: Path) -> None:
    engine = Migrator(miniature(tmp_path / "animals", ANIMALS, NOTHING), database_url=database_url)
    engine.upgrade()
    engine.downgrade("base")
    engine.stamp("002", verify=False)
    assert logged(database_url) == ["001", "002", "downgrade 002", "downgrade 001", "stamp 002"]
    stamp = engine.log(1)[0]
    assert (stamp.description, stamp.file, stamp.source, stamp.checksum) == (
        "stamped 002, not verified",
        None,
        None,
        None,
    )
    assert engine.log(1)[0].os_user == getpass.getuser()


def test_a_failure_is_recorded_with_its_error_and_without_the_password(
    forks: Forks, postgres_server: Server, postgres_url: str, tmp_path: Path
) -> None:
    config, url = miniature(tmp_path / "animals", ANIMALS, TELLS_SECRETS), postgres_server.guarded(postgres_url)
    secret = {"SECRET_URL": url}
    (failed,) = forks.run(Job(["upgrade"], config, url, environment=secret))
    (shown,) = forks.run(Job(["log", "--json"], config, url))
    (plain,) = forks.run(Job(["log"], config, url))
    (stock,) = forks.run(Job(["upgrade", "head"], config, url, program="alembic", environment=secret))
    kept = rows(postgres_url, "SELECT error FROM migration_log WHERE outcome = 'failed'")
    assert (failed.code, len(kept)) == (2, 2)
    for text in (str(failed), str(shown), str(plain), str(stock), str(kept)):
        assert "RuntimeError: *** postgresql+psycopg2://guarded:***@127.0.0.1" in text
        assert GUARDED_PASSWORD not in text
    assert (heads(postgres_url), logged(postgres_url)) == (["001"], ["001"])


def test_an_error_of_the_database_is_kept_in_its_own_words(database_url: str, tmp_path: Path) -> None:
    engine = Migrator(miniature(tmp_path / "animals", ANIMALS, ANIMALS), database_url=database_url)
    with pytest.raises(StepFailed):
        engine.upgrade()
    entry = engine.log(1)[0]
    assert (entry.revision, entry.outcome, entry.statements) == ("002", "failed", None)
    assert entry.error is not None
    assert "animals" in entry.error
    assert "already exists" in entry.error


def test_log_shows_it_newest_first_and_as_json(forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "animals", ANIMALS, NOTHING)
    Migrator(config, database_url=database_url).upgrade()
    plain, limited, document = forks.run(
        *(Job(["log", *options], config, database_url) for options in ([], ["--limit", "1"], ["--json"]))
    )
    assert [line.split("\t")[1:4] for line in plain.stdout.splitlines()] == [
        ["002", "upgrade", "done"],
        ["001", "upgrade", "done"],
    ]
    assert limited.stdout == plain.stdout.splitlines(keepends=True)[0]
    entries = json.loads(document.stdout)
    assert [set(entry) for entry in entries] == [columns(database_url)] * 2
    assert [entry["revision"] for entry in entries] == ["002", "001"]
    assert datetime.fromisoformat(entries[0]["finished_at"]).tzinfo is not None


def test_where_nothing_ran_the_log_is_empty_and_stays_away(forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "animals", ANIMALS)
    execute(database_url, "CREATE TABLE kept (id INTEGER)")
    plain, document = forks.run(Job(["log"], config, database_url), Job(["log", "--json"], config, database_url))
    assert (plain.code, plain.stdout, document.stdout) == (0, "", "[]\n")
    assert tables(database_url) == {"kept"}


@pytest.mark.parametrize("env", [None, OWN_FILTER], ids=("ours", "with a filter of its own"))
def test_autogenerate_and_check_leave_the_log_alone(
    forks: Forks, database_url: str, tmp_path: Path, env: str | None
) -> None:
    config = miniature(tmp_path / "animals", ANIMALS if env else NOTHING)
    if env:
        (tmp_path / "animals" / "migrations" / "env.py").write_text(env)
    Migrator(config, database_url=database_url).upgrade()
    template = tmp_path / "animals" / "migrations" / "script.py.mako"
    template.write_text(
        "revision = ${repr(up_revision)}\ndown_revision = ${repr(down_revision)}\ndef upgrade():\n    ${upgrades}\n"
    )
    for program in ("migrate.py", "alembic"):
        (checked,) = forks.run(Job(["check"], config, database_url, program=program))
        assert checked.code == 0, checked
    (made,) = forks.run(Job(["revision", "--autogenerate", "-m", "more"], config, database_url))
    assert made.code == 0, made
    assert "migration_log" not in (tmp_path / "animals" / "migrations" / "versions" / "002_more.py").read_text()


def test_the_log_goes_where_the_version_table_is(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "animals", NOTHING, NOTHING)
    env = tmp_path / "animals" / "migrations" / "env.py"
    env.write_text(env.read_text().replace("MetaData()", "MetaData(), version_table_schema='apart'"))
    execute(postgres_url, "CREATE SCHEMA apart")
    engine = Migrator(config, database_url=postgres_url)
    engine.upgrade()
    assert tables(postgres_url) == set()
    assert ask(postgres_url, "SELECT count(*) FROM apart.migration_log") == 2
    assert [entry.revision for entry in engine.log()] == ["002", "001"]


def test_switched_off_it_leaves_no_table(
    forks: Forks, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = miniature(tmp_path / "animals", ANIMALS, NOTHING, NOTHING)
    Migrator(config, database_url=database_url, log=False).upgrade("001")
    monkeypatch.setenv("MIGRATOR_LOG", "no")
    Migrator(config, database_url=database_url).upgrade("002")
    monkeypatch.delenv("MIGRATOR_LOG")
    with Path(config).open("a") as ini:
        ini.write("\n[migrator]\nlog = false\n")
    write_revisions(tmp_path / "animals", ["def upgrade():\n    raise RuntimeError('never')"], first=3)
    with pytest.raises(StepFailed):
        Migrator(config, database_url=database_url).upgrade()
    assert tables(database_url) == {"alembic_version", "animals"}
    (status,) = forks.run(Job(["status"], config, database_url))
    assert status.stdout.splitlines()[0].split("\t")[:4] == ["001", "applied", "", ""]


def test_a_database_that_plain_alembic_migrated_works_without_it(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    stock = miniature(tmp_path / "stock", ANIMALS, NOTHING, NOTHING, stock=True, url=database_url)
    (made,) = forks.run(Job(["upgrade", "002"], stock, database_url, program="alembic"))
    assert made.code == 0, made
    engine = Migrator(miniature(tmp_path / "ours", ANIMALS, NOTHING, NOTHING), database_url=database_url)
    assert engine.log() == ()
    assert [(r.applied, r.applied_at, r.edited) for r in engine.status().revisions[:2]] == [(True, None, False)] * 2
    assert "migration_log" not in tables(database_url)
    engine.downgrade("001")
    engine.upgrade()
    assert logged(database_url) == ["downgrade 002", "002", "003"]
