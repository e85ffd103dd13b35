"""Behind a transaction pooler no lock can hold: the engine finds out and refuses, before it changes anything."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa
from alembic import command

from migrator import DatabaseError, LockError, Migrator
from migrator.dialects.postgresql import lock as advisory
from tests.adopt.legacy.past import create_all
from tests.kit import CONFIG
from tests.kit.assertions import assert_says
from tests.kit.database import ask, heads, state
from tests.kit.fork_server import Forks, Job, until
from tests.kit.processes import leashed
from tests.kit.projects import ANIMALS, copy_history, miniature
from tests.postgresql.pooler import ORDERS, pooler

REVISIONS = [f"{number:03}" for number in range(1, 13)]
ADVISORY_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
SCRATCHES = "SELECT count(*) FROM pg_database WHERE datname LIKE 'migrator_scratch%'"
OURS = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"


def assert_refused(forks: Forks, pooled: str, direct: str) -> None:
    (result,) = forks.run(Job(["--lock-wait", "20", "upgrade"], CONFIG, pooled))
    assert result.code == 2, result
    error = result.stderr.partition("error: ")[2]
    assert error.startswith("The database is reached through a transaction pooler")
    assert "export MIGRATION_DATABASE_URL=" in error
    assert "#lock-behind-pooler" in error
    assert ask(direct, ADVISORY_LOCKS) == 0
    assert ask(direct, OURS) == 0


@contextmanager
def traffic(url: str) -> Iterator[None]:
    """Two other clients, a transaction each as fast as they can."""
    over = threading.Event()

    def ask_on() -> None:
        with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
            while not over.is_set():
                connection.cursor().execute("SELECT 1")
                connection.rollback()
                over.wait(0.001)

    threads = [threading.Thread(target=ask_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def pgbouncer(
    url: str, mode: str, directory: Path, *, databases: str = "*", to: str = "", more: str = ""
) -> Iterator[str]:
    """The URL of the same database behind the real thing, which knows these databases. Skips the test where there is none."""
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        pytest.skip("the other tests have a pooler of their own")
    target = sa.make_url(url)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ini = directory / "pgbouncer.ini"
    ini.write_text(
        f"[databases]\n{databases} = host={target.host} port={target.port} user={target.username} {to}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n{more}\n"
    )
    command = [program, "-q", *(["-u", "nobody"] if os.geteuid() == 0 else []), str(ini)]
    with subprocess.Popen(leashed(command)) as process:
        try:
            until(lambda: _listens(port))
            yield target.set(port=port).render_as_string(hide_password=False)
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("size", "order"), [(1, "round robin"), *((size, order) for size in (2, 6) for order in ORDERS)]
)
def test_a_transaction_pooler_is_refused(forks: Forks, postgres_url: str, size: int, order: str) -> None:
    with pooler(postgres_url, size=size, order=order) as pooled:
        assert_refused(forks, pooled, postgres_url)


@pytest.mark.parametrize("order", ORDERS)
def test_a_transaction_pooler_with_other_traffic_is_refused(forks: Forks, postgres_url: str, order: str) -> None:
    with pooler(postgres_url, size=5, order=order) as pooled, traffic(pooled):
        assert_refused(forks, pooled, postgres_url)


def test_a_lock_that_is_on_another_server_process_is_noticed_and_taken_back(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advisory, "refuse_pooler", lambda connection: None)
    with pooler(postgres_url, size=3, order="round robin") as pooled:
        with pytest.raises(LockError, match="transaction pooler"):
            Migrator(CONFIG, database_url=pooled).upgrade()
        assert ask(postgres_url, ADVISORY_LOCKS) == 0


def test_a_pooler_that_goes_unnoticed_until_the_second_step_ends_the_run(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives the process used last, and takes the processes in turn from the first revision on."""
    monkeypatch.setattr(advisory, "refuse_pooler", lambda connection: None)
    turned = tmp_path / "turned"
    monkeypatch.setitem(ORDERS, "turning", lambda idle: 0 if turned.exists() else len(idle) - 1)
    config = miniature(tmp_path / "project", f"def upgrade():\n    Path({str(turned)!r}).touch()", ANIMALS)
    with pooler(postgres_url, size=3, order="turning") as pooled, pytest.raises(LockError) as lost:
        Migrator(config, database_url=pooled).upgrade()
    assert lost.value.code == "lock-lost"
    words = ("the database session was replaced", "MIGRATION_DATABASE_URL")
    assert_says(str(lost.value), "lock-lost", *words, consequence="Applied in this run and kept: 001")
    assert heads(postgres_url) == ["001"]


def test_a_pooler_that_keeps_sessions_is_as_good_as_none(forks: Forks, postgres_url: str) -> None:
    with pooler(postgres_url, size=0) as pooled:
        (result,) = forks.run(Job(["upgrade"], CONFIG, pooled))
    assert result.code == 0, result
    assert ask(postgres_url, "SELECT version_num FROM alembic_version") == REVISIONS[-1]


def test_the_url_for_migrations_goes_past_the_pooler(forks: Forks, postgres_url: str) -> None:
    with pooler(postgres_url, size=2) as pooled:
        direct = {"MIGRATION_DATABASE_URL": postgres_url}
        (result,) = forks.run(Job(["upgrade"], CONFIG, pooled, environment=direct))
    assert result.code == 0, result


@pytest.mark.parametrize("real", [True, False], ids=("pgbouncer", "ours"))
def test_whatever_only_reads_works_through_a_transaction_pooler(postgres_url: str, tmp_path: Path, real: bool) -> None:
    create_all(postgres_url, "007")
    config = copy_history(tmp_path / "project")
    there = pgbouncer(postgres_url, "transaction", tmp_path) if real else pooler(postgres_url, size=2)
    with there as pooled, traffic(pooled):
        migrator = Migrator(config, database_url=pooled)
        found = migrator.adopt(dry_run=True)
        assert (found.verdict.best.revision, found.verdict.best.exact) == ("007", True)
        with pytest.raises(LockError) as refused:
            migrator.adopt()
        assert refused.value.code == "lock-behind-pooler"
        assert (migrator.current(), migrator.status().at, migrator.log()) == ((), (), ())
        Migrator(config, database_url=postgres_url).adopt(upgrade=True)
        assert (migrator.current(), migrator.status().at) == (("012",), ("012",))
        assert (len(migrator.plan("011", "downgrade")), len(migrator.log(3))) == (1, 3)
        assert migrator.upgrade().steps == ()
        migrator.require_head()
        migrator.call(command.check)
    assert ask(postgres_url, SCRATCHES) == 0


@pytest.mark.parametrize("real", [True, False], ids=("pgbouncer", "ours"))
def test_a_replay_never_works_on_what_a_pooler_leads_to_instead(postgres_url: str, tmp_path: Path, real: bool) -> None:
    create_all(postgres_url, "007")
    before = state(postgres_url)
    config, name = copy_history(tmp_path / "project"), sa.make_url(postgres_url).database
    ignores = {"databases": str(name), "more": "ignore_startup_parameters = options"}
    for number, wrong in enumerate(({"databases": str(name)}, {"to": f"dbname={name}"}, ignores) if real else ({},)):
        folder = tmp_path / str(number)
        folder.mkdir()
        there = (
            pgbouncer(postgres_url, "transaction", folder, **wrong)
            if real
            else pooler(postgres_url, size=2, listed=True)
        )
        with there as pooled, pytest.raises(DatabaseError) as refused:
            Migrator(config, database_url=pooled).adopt(dry_run=True)
        assert refused.value.code == "scratch-behind-pooler"
        assert_says(str(refused.value), "scratch-behind-pooler", "export MIGRATION_DATABASE_URL=")
        assert state(postgres_url) == before
    assert ask(postgres_url, SCRATCHES) == 0


def test_pgbouncer_itself_where_there_is_one(forks: Forks, postgres_url: str, tmp_path: Path) -> None:
    with pgbouncer(postgres_url, "transaction", tmp_path) as pooled:
        assert_refused(forks, pooled, postgres_url)
        with traffic(pooled):
            assert_refused(forks, pooled, postgres_url)
    with pgbouncer(postgres_url, "session", tmp_path) as pooled:
        for expected in ("Applied 12 revisions", "Nothing to do"):
            (result,) = forks.run(Job(["upgrade"], CONFIG, pooled))
            assert result.code == 0, result
            assert expected in result.stdout


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
