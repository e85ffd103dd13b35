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

from migrator import LockError, Migrator
from migrator.dialects.postgresql import lock as advisory
from tests.kit import CONFIG
from tests.kit.database import ask
from tests.kit.fork_server import Forks, Job, until
from tests.kit.processes import leashed
from tests.postgresql.pooler import ORDERS, pooler

REVISIONS = [f"{number:03}" for number in range(1, 13)]
ADVISORY_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
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
def pgbouncer(program: str, url: str, mode: str, directory: Path) -> Iterator[str]:
    """The URL of the same database behind the real thing."""
    target = sa.make_url(url)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ini = directory / "pgbouncer.ini"
    ini.write_text(
        f"[databases]\n* = host={target.host} port={target.port} user={target.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n"
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


def test_pgbouncer_itself_where_there_is_one(forks: Forks, postgres_url: str, tmp_path: Path) -> None:
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        pytest.skip("the tests above have a pooler of their own")
    with pgbouncer(program, postgres_url, "transaction", tmp_path) as pooled:
        assert_refused(forks, pooled, postgres_url)
        with traffic(pooled):
            assert_refused(forks, pooled, postgres_url)
    with pgbouncer(program, postgres_url, "session", tmp_path) as pooled:
        for expected in ("Applied 12 revisions", "Nothing to do"):
            (result,) = forks.run(Job(["upgrade"], CONFIG, pooled))
            assert result.code == 0, result
            assert expected in result.stdout


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
