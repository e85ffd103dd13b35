"""Starting PostgreSQL from its binaries alone: a private directory, a free port, and nothing left behind."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from filelock import FileLock, Timeout

from tests.kit.processes import leashed

SUPERUSER = "postgres"
GUARDED = "guarded"
GUARDED_PASSWORD = "s3cr%et@/#:? é"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0

_SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "jit": "off",
    "listen_addresses": "127.0.0.1",
    "log_timezone": "UTC",
    "max_connections": "250",
    "max_prepared_transactions": "10",
    "shared_buffers": "64MB",
    "synchronous_commit": "off",
    "timezone": "UTC",
}
_ACCESS = f"""\
local all all trust
host all {GUARDED} 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
_ROOT = """\
PostgreSQL refuses to run as root, this machine allows root no user namespace, and the user {user} may not run this
interpreter ({error}). Run the tests as an ordinary user, or set TEST_DATABASE_URL to a server."""


class PostgresUnavailable(RuntimeError):
    """No server could be found or started; the text says what to do, or shows the server's own log."""


@dataclass(frozen=True)
class Launched:
    """Where a server that this process started listens, over TCP on the loopback address and on a Unix socket."""

    port: int
    socket_directory: Path
    version: int
    """As libpq numbers them: 180004 is 18.4."""


@contextmanager
def launched(binaries: Path) -> Iterator[Launched]:
    """Run a new, empty server for as long as the block runs; its databases are deleted with it.

    On Linux it also ends when the thread that entered the block dies, by SIGKILL too. Elsewhere a server whose
    owner was killed ends within a minute of the next start, which deletes its directory. Raises
    `PostgresUnavailable`, with what the server logged, when it does not start within 60 seconds.
    """
    with private_directory() as directory:
        wrapper, account = _unprivileged()
        if account:
            shutil.chown(directory, account["user"])
        log = directory / "log"

        def command(program: str, *arguments: str) -> list[str]:
            return [*wrapper, *leashed([str(binaries / program), "-D", str(directory / "data"), *arguments])]

        with log.open("wb") as output:
            streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            # A process group of its own: an interrupt typed at the terminal is for pytest, which then stops the server.
            streams |= {"process_group": 0, "env": _environment(), **account}
            initdb = command("initdb", "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
            try:
                made = subprocess.run(initdb, timeout=START_TIMEOUT, **streams)
            except PermissionError as error:
                raise PostgresUnavailable(_ROOT.format(error=error, user=account.get("user"))) from error
            if made.returncode != 0:
                raise PostgresUnavailable(f"initdb of {binaries} failed:\n{_tail(log)}")
            (directory / "data/pg_hba.conf").write_text(_ACCESS)
            process, port, version = _start(command, streams, directory)
        try:
            yield Launched(port, directory, version)
        finally:
            _stop(process)


def _start(
    command: Callable[..., list[str]], streams: dict[str, Any], directory: Path
) -> tuple[subprocess.Popen[bytes], int, int]:
    """Start the server on a free port, and on another one when somebody else was quicker to take it."""
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    for _ in range(10):
        port = _free_port()
        process = subprocess.Popen(command("postgres", "-p", str(port), "-k", str(directory), *settings), **streams)
        try:
            version = _version_when_ready(process, port, directory / "data")
        except BaseException:
            _stop(process)
            raise
        if version is not None:
            return process, port, version
        if "already in use" not in _tail(directory / "log").rpartition("starting PostgreSQL")[2]:
            break
    raise PostgresUnavailable(f"PostgreSQL did not start:\n{_tail(directory / 'log')}")


def _version_when_ready(process: subprocess.Popen[bytes], port: int, data: Path) -> int | None:
    """Wait until this very server answers, or its process has ended: that is None."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        with suppress(psycopg2.OperationalError):
            connection = psycopg2.connect(
                host="127.0.0.1", port=port, user=SUPERUSER, dbname="postgres", sslmode="disable", connect_timeout=5
            )
            try:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    # Another server may have taken the port between our looking for one and our binding it.
                    cursor.execute("SELECT current_setting('data_directory')")
                    if cursor.fetchone() == (str(data),):
                        cursor.execute(f"CREATE ROLE {GUARDED} SUPERUSER LOGIN PASSWORD %s", (GUARDED_PASSWORD,))
                        return connection.server_version
            finally:
                connection.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
            return None
    raise PostgresUnavailable(f"PostgreSQL was not ready after {START_TIMEOUT:.0f} s:\n{_tail(data.parent / 'log')}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and wait for it, without waiting for its clients."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def private_directory() -> Iterator[Path]:
    """A directory that only its owner can enter, deleted at the end of the block or else by the next call.

    Abandoned is one whose lock can be had: the kernel gives up a lock with the process that holds it, and unlike a
    process id it is never used again by somebody else.
    """
    shared = Path(tempfile.gettempdir()).resolve() / f"migrator-{os.geteuid()}"
    shared.mkdir(mode=0o711, exist_ok=True)
    if shared.stat().st_uid != os.geteuid():
        raise PostgresUnavailable(f"{shared} belongs to somebody else; delete it, or set TMPDIR to another directory")
    with FileLock(shared / "starting", timeout=START_TIMEOUT):
        for lock in shared.glob("*.lock"):
            with suppress(Timeout), FileLock(lock, timeout=0):
                _delete(lock.with_suffix(""), lock)
        directory = Path(tempfile.mkdtemp(prefix="", dir=shared))
        lock = directory.with_suffix(".lock")
        owner = FileLock(lock)
        owner.acquire(timeout=0)
    try:
        yield directory
    finally:
        _delete(directory, lock)
        owner.release()


def _delete(directory: Path, lock: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    # A server that is just ending may still have written: its lock file stays, for the next start to try again.
    if not directory.exists():
        lock.unlink(missing_ok=True)


def _unprivileged() -> tuple[list[str], dict[str, Any]]:
    """What to put before a command, and into `Popen`, so that PostgreSQL, which refuses root, runs for root as well."""
    if os.geteuid() != 0:
        return [], {}
    import pwd

    # initdb looks its user up by number: it has to be one that this machine knows.
    known = next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)
    unshare = shutil.which("unshare")
    if unshare:
        wrapper = [unshare, "--user", f"--map-user={known.pw_uid}", f"--map-group={known.pw_gid}", "--"]
        if subprocess.run([*wrapper, "true"], capture_output=True, timeout=START_TIMEOUT).returncode == 0:
            return wrapper, {}
    return [], {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return inherited | {"LC_ALL": "C"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]
