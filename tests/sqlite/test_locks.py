"""An application that holds the SQLite database: waited for, then named. The other side is always a process of its own."""

import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import DatabaseError, LockError, StepFailed
from tests.kit.assertions import assert_says
from tests.kit.processes import leashed
from tests.kit.projects import upgrading
from tests.kit.scenario import Scenario, project

BEFORE = "CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER); INSERT INTO orders VALUES (1, 1);"
BODY = "op.execute('UPDATE orders SET total = 2')"
APPLICATION = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.readline()
"""
READING = ("BEGIN", "SELECT * FROM orders")
HOLDS = {
    "a writer": ("BEGIN IMMEDIATE",),
    "a writer that lets nobody read": ("BEGIN EXCLUSIVE",),
    "a reader, with a rollback journal": READING,
    "a writer in WAL mode": ("PRAGMA journal_mode = WAL", "BEGIN IMMEDIATE"),
}


@contextmanager
def application(file: Path, *statements: str) -> Iterator[subprocess.Popen[str]]:
    """A program that has executed the statements and goes on holding what they hold."""
    command = leashed([sys.executable, "-c", APPLICATION, str(file), *statements])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.communicate("go on\n", timeout=30)


@contextmanager
def database(directory: Path, *, stock: bool = False, body: str = BODY) -> Iterator[Scenario]:
    """A project whose engine has no patience of its own."""
    directory.mkdir()
    engine = sa.create_engine(
        f"sqlite:///{directory / 'app.db'}", poolclass=sa.pool.NullPool, connect_args={"timeout": 0.05}
    )
    with project(directory / "p", upgrading(body), before=BEFORE, engine=engine, stock=stock) as made:
        yield made


class Waiting(logging.Handler):
    """Set when the engine says that it waits, and what it said."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.event, self.said = threading.Event(), ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said = record.getMessage()
        self.event.set()


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be a user whom the permissions of files concern; root becomes another one for as long as the block runs."""
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    handler = Waiting()
    logging.getLogger("migrator").addHandler(handler)
    yield handler
    logging.getLogger("migrator").removeHandler(handler)


@pytest.mark.parametrize("case", HOLDS)
def test_a_run_waits_for_an_application_and_goes_on(
    case: str, tmp_path: Path, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATOR_LOCK_WAIT", "60")
    with database(tmp_path / "ours") as ours:
        errors: list[BaseException] = []

        def run() -> None:
            try:
                ours.upgrade()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        with application(ours.file, *HOLDS[case]) as holder:
            thread.start()
            assert waiting.event.wait(30)
            assert f"(pid {holder.pid})" in waiting.said
        thread.join(60)
        assert errors == []
        assert ours.ask("SELECT total FROM orders") == [2]


@pytest.mark.parametrize("case", HOLDS)
def test_an_application_that_does_not_let_go_is_named(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATOR_LOCK_WAIT", "0.3")
    with database(tmp_path / "ours") as ours:
        with application(ours.file, *HOLDS[case]) as holder:
            with pytest.raises(LockError) as caught:
                ours.upgrade()
            assert f"(pid {holder.pid})" in str(caught.value)
            assert caught.value.code == ("step-blocked" if "reader" in case else "database-locked")
        assert ours.ask("SELECT total FROM orders") == [1]
        assert ours.ask("SELECT name FROM sqlite_master WHERE name = 'alembic_version'") == []


@pytest.mark.parametrize("case", HOLDS)
def test_stock_alembic_fails_at_once(case: str, tmp_path: Path) -> None:
    with (
        database(tmp_path / "stock", stock=True) as stock,
        application(stock.file, *HOLDS[case]),
        pytest.raises(sa.exc.OperationalError, match="locked"),
    ):
        stock.upgrade()


def test_a_reader_in_wal_mode_is_in_nobodys_way(tmp_path: Path, waiting: Waiting) -> None:
    with database(tmp_path / "ours") as ours, application(ours.file, "PRAGMA journal_mode = WAL", *READING):
        ours.upgrade()
        assert not waiting.event.is_set()


def test_a_run_waits_no_longer_than_it_may_where_the_connection_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own five seconds are cut down to `lock_wait`, and given back."""
    monkeypatch.setenv("MIGRATOR_LOCK_WAIT", "0.1")
    (tmp_path / "ours").mkdir()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'ours' / 'app.db'}", poolclass=sa.pool.StaticPool)
    with project(tmp_path / "ours" / "p", upgrading(BODY), before=BEFORE, engine=engine) as ours:
        with application(ours.file, "BEGIN EXCLUSIVE"), pytest.raises(LockError) as caught:
            ours.upgrade()
        assert caught.value.fields["seconds"] < 3
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000


def test_a_lock_file_that_is_somebodys_data_is_neither_emptied_nor_written(tmp_path: Path) -> None:
    with database(tmp_path / "ours") as ours:
        note, data = Path(f"{ours.file}.migrator.lock"), tmp_path / "data"
        data.write_text("rows")

        def refused() -> None:
            with pytest.raises(DatabaseError) as caught:
                ours.upgrade()
            assert caught.value.code == "lock-file-foreign"
            assert_says(str(caught.value), "lock-file-foreign", str(note), f"ls -li {note}")

        note.hardlink_to(data)
        refused()
        note.unlink()
        for foreign in (b"rows", b'{"host": 1}', b"\xff\x00", b"{" * 5000):
            note.write_bytes(foreign)
            refused()
            assert note.read_bytes() == foreign
        note.unlink()
        note.symlink_to(data)
        refused()
        note.unlink()
        note.mkdir()
        refused()
        note.rmdir()
        assert data.read_text() == "rows"
        note.write_text('{"host": "else')  # all that a run wrote that was killed
        ours.upgrade()
        assert note.read_text() == ""


def test_a_lock_file_of_another_user_is_named_in_the_advice() -> None:
    with tempfile.TemporaryDirectory() as folder, database(Path(folder, "ours")) as ours:
        note = Path(f"{ours.file}.migrator.lock")
        note.touch(mode=0o400)
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o400 if path == note else 0o777)
        with unprivileged(), pytest.raises(DatabaseError) as caught:
            ours.upgrade()
        assert caught.value.code == "database-unreachable"
        assert_says(str(caught.value), "database-unreachable", f"Give the lock file {note} write permission")


@pytest.mark.parametrize("own_file", [True, False])
def test_a_second_connection_of_the_revision_waits_for_no_other_program(tmp_path: Path, own_file: bool) -> None:
    """With stock Alembic the same error comes, and says only that the database is locked."""
    other = tmp_path / "other.db"
    file = "op.get_bind().engine.url.database" if own_file else repr(str(other))
    second = f"sa.create_engine('sqlite:///' + {file}, poolclass=sa.pool.NullPool, connect_args={{'timeout': 0.05}}).connect()"
    body = f"{BODY}\n{second}.exec_driver_sql('CREATE TABLE t (id)')"
    with database(tmp_path / "ours", body=body) as ours:
        if own_file:
            with pytest.raises(StepFailed) as failed:
                ours.upgrade()
            assert failed.value.code == "step-waits-for-itself"
            assert_says(str(failed.value), "step-waits-for-itself", "CREATE TABLE t (id)", consequence="rolled back")
        else:
            with application(other, "BEGIN IMMEDIATE"), pytest.raises(StepFailed) as failed:
                ours.upgrade()
            assert (failed.value.code, "locked" in str(failed.value)) == ("step-failed-outside", True)
        assert ours.ask("SELECT total FROM orders") == [1]
