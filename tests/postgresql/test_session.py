"""The session that migrates on PostgreSQL: what it keeps, what it gives back, and what ends it."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool

from migrator import DatabaseError, Migrator, StepFailed
from tests.kit import postgres_binaries as launcher
from tests.kit.assertions import assert_says
from tests.kit.database import ask, execute, logged
from tests.kit.fork_server import Forks, Job, until
from tests.kit.postgres import server
from tests.postgresql.sessions import engine, made_animals, next_revision, session, told

A_COLUMN = """
def upgrade():
    op.add_column("animals", sa.Column("name", sa.Text))
"""
OTHERS = "datname = current_database() AND pid <> pg_backend_pid()"
IDLE = """
import time


def upgrade():
    op.execute("SELECT 1")
    time.sleep(1)
    op.execute("SELECT 2")
"""
STOPS = """
def upgrade():
    op.add_column("animals", sa.Column("name", sa.Text))
    os.kill(os.getpid(), signal.SIGSTOP)
    op.execute("SELECT 1")
"""
IN_A_BLOCK = """
def upgrade():
    with op.get_context().autocommit_block():
        op.add_column("animals", sa.Column("name", sa.Text))
"""
# One that is always at work: it begins within a second, and then sleeps more than it reads.
BUSY = {
    "autovacuum": "on",
    "autovacuum_naptime": "1s",
    "autovacuum_vacuum_cost_delay": "100ms",
    "autovacuum_vacuum_cost_limit": "1",
}


@pytest.fixture
def config(postgres_url: str, tmp_path: Path) -> str:
    return made_animals(postgres_url, tmp_path / "project")


@pytest.mark.parametrize("body", [A_COLUMN, IN_A_BLOCK, "def upgrade():\n    op.execute('nonsense')"])
def test_a_connection_that_was_handed_in_has_all_its_settings_back(config: str, postgres_url: str, body: str) -> None:
    next_revision(config, body)
    settings = "SELECT name, setting FROM pg_settings WHERE name <> 'transaction_isolation'"
    own = "SET application_name = 'mine'; SET lock_timeout = '7s'; SET statement_timeout = '8s'; SET idle_session_timeout = '9min'"
    with sa.create_engine(postgres_url, poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql(own)
        connection.commit()
        before = connection.exec_driver_sql(settings).all()
        connection.commit()
        try:
            Migrator(config, connection=connection, statement_timeout=5000).upgrade()
        except StepFailed:
            assert "nonsense" in body
        assert connection.exec_driver_sql(settings).all() == before
        assert not connection.exec_driver_sql("SELECT * FROM pg_locks WHERE locktype = 'advisory'").all()


POOLS: dict[str, dict[str, Any]] = {
    "static": {"poolclass": StaticPool},
    "one for each thread": {"poolclass": SingletonThreadPool},
    "one and no more": {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": 0.1},
}


@pytest.mark.parametrize("pool", POOLS)
def test_an_engine_with_a_single_connection_is_no_pooler(config: str, postgres_url: str, pool: str) -> None:
    next_revision(config, A_COLUMN)
    own = sa.create_engine(postgres_url, **POOLS[pool])
    assert Migrator(config, connection=own).upgrade().after == ("002",)
    Migrator(config, connection=own).downgrade("001")
    next_revision(config, "def upgrade():\n    op.execute('nonsense')")
    with pytest.raises(StepFailed, match="nonsense"):
        Migrator(config, connection=own).upgrade()
    assert logged(postgres_url, "failed") == ["002"]
    own.dispose()
    assert ask(postgres_url, f"SELECT count(*) FROM pg_stat_activity WHERE {OTHERS}") == 0


def test_an_engine_that_gives_one_session_again_and_again_is_refused(config: str, postgres_url: str) -> None:
    next_revision(config, A_COLUMN)
    with closing(psycopg2.connect(postgres_url.replace("+psycopg2", ""))) as single:
        own = sa.create_engine("postgresql+psycopg2://", creator=lambda: single, poolclass=StaticPool)
        with pytest.raises(DatabaseError) as refused:
            Migrator(config, connection=own).upgrade()
    assert refused.value.code == "connection-single"
    assert_says(str(refused.value), "connection-single", "gives the same database session again")


def test_a_session_that_is_ended_by_the_server_is_a_failed_step_and_no_more(
    forks: Forks, config: str, postgres_url: str
) -> None:
    next_revision(config, 'def upgrade():\n    op.execute("SELECT pg_terminate_backend(pg_backend_pid())")')
    (result,) = forks.run(Job(["upgrade"], config, postgres_url))
    assert result.code == 2
    fact = result.stderr.partition("error: ")[2].splitlines()[0]
    assert fact.startswith("Revision 002 (002_step.py) failed on its upgrade: ")
    assert "connection" in fact
    assert "the database is at 001" in result.stderr
    assert "Traceback" not in result.stderr
    next_revision(config, A_COLUMN)
    assert engine(config, postgres_url, lock_wait=0).upgrade().after == ("002",)


def test_a_step_may_be_idle_for_longer_than_the_server_allows_its_clients(config: str, postgres_url: str) -> None:
    limit_role(postgres_url, "idle_in_transaction_session_timeout = '400ms'")
    next_revision(config, IDLE)
    with pytest.raises(StepFailed) as ended:
        engine(config, postgres_url).upgrade()
    assert ended.value.code == "step-idle"
    assert_says(
        str(ended.value), "step-idle", "the limit is 0.4 s (idle_in_transaction_session_timeout)", consequence="at 001"
    )
    next_revision(config, f"idle_limit = 30\n\n{IDLE}")
    assert engine(config, postgres_url, idle_limit=0.1).upgrade().after == ("002",)
    assert logged(postgres_url, "failed") == ["002"]


def test_a_step_that_takes_longer_than_the_role_may_is_told_so(config: str, postgres_url: str) -> None:
    if int(ask(postgres_url, "SHOW server_version_num")) < 170000:
        pytest.skip("transaction_timeout came with PostgreSQL 17")
    limit_role(postgres_url, "transaction_timeout = '400ms'")
    for body in (IDLE, 'def upgrade():\n    op.execute("SELECT pg_sleep(600)")'):
        next_revision(config, body)
        with pytest.raises(StepFailed) as ended:
            engine(config, postgres_url).upgrade()
        assert ended.value.code == "step-transaction-timeout"
        words = "the role's transaction_timeout is 0.4 s"
        assert_says(str(ended.value), "step-transaction-timeout", words, consequence="the database is at 001")


def test_a_client_that_says_no_more_loses_its_session_and_its_locks(
    forks: Forks, config: str, postgres_url: str
) -> None:
    """Stopped, as a machine that has vanished: it neither works nor takes its leave."""
    next_revision(config, STOPS)
    job = Job(["upgrade"], config, postgres_url, environment={"MIGRATOR_IDLE_LIMIT": "0.5"})
    (process,) = forks.start(job)
    until(lambda: ask(postgres_url, "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'"))
    with session(postgres_url, "SELECT count(*) FROM animals"):  # waits until the locks are free
        assert ask(postgres_url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
        os.kill(process.pid, signal.SIGCONT)
        result = process.wait()
    assert result.code == 2
    assert "the limit is 0.5 s (idle_limit)" in result.stderr
    assert "lock was gone" not in result.stderr
    next_revision(config, A_COLUMN)
    assert engine(config, postgres_url, lock_wait=0).upgrade().after == ("002",)


def test_the_server_looks_within_half_a_minute_whether_the_client_is_there(config: str, postgres_url: str) -> None:
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
    shown = ", ".join(f"'{name}', current_setting('{name}')" for name in names)
    next_revision(
        config, f'def upgrade():\n    op.execute("CREATE TABLE said AS SELECT json_build_object({shown})::text AS it")'
    )
    engine(config, postgres_url).upgrade()
    assert list(json.loads(ask(postgres_url, "SELECT it FROM said")).values()) == ["10", "5", "3", "25000"]


def limit_role(url: str, setting: str) -> None:
    execute(url, f"ALTER DATABASE {sa.make_url(url).database} SET {setting}")


def test_the_lock_stays_with_the_session_through_an_autocommit_block(
    config: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    note = """
def note():
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted"
    with open(os.environ["NOTES"], "a") as notes:
        print(op.get_bind().exec_driver_sql(held).scalar(), file=notes)


def upgrade():
    note()
    with op.get_context().autocommit_block():
        note()
    note()
"""
    next_revision(config, note)
    engine(config, postgres_url).upgrade()
    assert (tmp_path / "notes").read_text().split() == ["1", "1", "1"]


def test_a_role_that_may_not_look_at_others_is_told_what_it_may_see(
    forks: Forks, config: str, postgres_url: str
) -> None:
    next_revision(config, "def upgrade():\n    op.execute('SELECT pg_sleep(600)')")
    with session(postgres_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO pg_signal_backend") as owner:
        owner.commit()
    (holder,) = forks.start(Job(["upgrade"], config, postgres_url))
    until(lambda: ask(postgres_url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"))
    limited = {"PGOPTIONS": "-c role=pg_signal_backend"}
    (result,) = forks.run(Job(["--lock-wait", "0", "upgrade"], config, postgres_url, environment=limited))
    holder.kill()
    holder.wait()
    assert result.code == 2
    assert f":{holder.pid} (pid " in result.stderr
    assert "since when this role may not see" in result.stderr


@pytest.fixture
def vacuuming_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in BUSY.items():
        monkeypatch.setitem(launcher._SETTINGS, name, value)
    with server() as started:
        if started.socket_directory is None:
            pytest.skip("the server at TEST_DATABASE_URL is not ours to configure")
        yield started.create_database()


def test_the_servers_own_autovacuum_gives_way_though_every_try_ends_before_it_would(
    vacuuming_url: str, tmp_path: Path
) -> None:
    config = made_animals(vacuuming_url, tmp_path / "project")
    next_revision(config, A_COLUMN)
    with session(
        vacuuming_url,
        "INSERT INTO animals SELECT generate_series(1000, 400000)",
        "DELETE FROM animals WHERE id % 2 = 0",
    ) as somebody:
        somebody.commit()
    vacuums = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND query LIKE '%animals'"
    until(lambda: ask(vacuuming_url, vacuums))
    with told(lambda lines: None) as lines:
        report = engine(config, vacuuming_url, retry_for=10).upgrade()
    assert report.after == ("002",)
    assert "(the server's own autovacuum)" in lines[0]
