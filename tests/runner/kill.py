"""Upgrades that are killed with SIGKILL at random moments of their work, and what has to be true after each."""

import os
import random
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tests.kit.fingerprint import columns_of, fingerprint
from tests.kit.fork_server import Forks, Job, Process, until
from tests.kit.postgres import Server
from tests.kit.schema_text import Catalog, read_catalog
from tests.scaffold.templates import Files

_SIGKILL = -9
_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@dataclass(frozen=True)
class Death:
    """One run that was killed, and where the database stood then."""

    revision: str
    statement: int
    """How many statements and commits had begun."""
    later: float
    """Seconds after the last of them began."""


class Killer:
    """Kills upgrades of copies of the database at `template`, at moments spread over the time in which one works.

    A copy is upgraded undisturbed first, a revision at a time, to know the schema at each; another to know how long each statement takes.
    """

    def __init__(
        self,
        forks: Forks,
        host: Server | Files,
        template: str,
        config: str | Path,
        revisions: Sequence[str],
        directory: Path,
    ) -> None:
        self._forks, self._host, self._template, self._config = forks, host, template, config
        self._fifo = directory / "beat"
        os.mkfifo(self._fifo)
        self._random = random.Random()
        self._head = revisions[-1]
        self._catalogs: dict[str, Catalog] = {}
        with _connected(template) as connection:
            self._columns = columns_of(connection)
            self._rows = self._fingerprint(connection)
            self._catalogs[_revision(connection)] = read_catalog(connection)
        self._measure(revisions)

    def kill(self) -> Death:
        """Kill one run, look at the database, run it again and look again. AssertionError with the moment when anything is wrong."""
        while True:
            url = self._host.create_database(template=self._template)
            statement, later = self._moment()
            try:
                if self._killed(url, statement, later):
                    return self._examined(url, statement, later)
            finally:
                self._host.drop_database(url)

    def _measure(self, revisions: Sequence[str]) -> None:
        url = self._host.create_database(template=self._template)
        for revision in revisions:
            (result,) = self._forks.run(self._job(url, revision))
            assert result.code == 0, result
            with _connected(url) as connection:
                self._catalogs[revision] = read_catalog(connection)
        self._host.drop_database(url)
        url = self._host.create_database(template=self._template)
        process, beats = self._start(url), []
        with closing(open(self._fifo, "rb", buffering=0)) as beat:  # noqa: PTH123
            while beat.read(1):
                beats.append(time.monotonic())
        assert process.wait().code == 0
        self._beats = [*beats, time.monotonic()]
        self._host.drop_database(url)

    def _moment(self) -> tuple[int, float]:
        """Half of them spread over the time, half over the statements: a commit is short, and the place where it matters."""
        spans = [after - before for before, after in pairwise(self._beats)]
        weights = spans if self._random.random() < 0.5 else [1.0] * len(spans)
        (index,) = self._random.choices(range(len(spans)), weights)
        return index + 1, self._random.uniform(0, spans[index])

    def _killed(self, url: str, statement: int, later: float) -> bool:
        process = self._start(url)
        with closing(open(self._fifo, "rb", buffering=0)) as beat:  # noqa: PTH123
            for _ in range(statement):
                beat.read(1)
            time.sleep(later)
            process.kill()
        result = process.wait()
        assert result.code in (0, _SIGKILL), result
        return result.code == _SIGKILL

    def _examined(self, url: str, statement: int, later: float) -> Death:
        with _connected(url) as connection:
            if connection.dialect.name == "postgresql":
                until(lambda: not _scalar(connection, _OTHERS))
            death = Death(_revision(connection), statement, later)
            self._compare(connection, death)
        (result,) = self._forks.run(self._job(url, "head"))
        assert result.code == 0, (death, result)
        with _connected(url) as connection:
            assert _revision(connection) == self._head, (death, result)
            self._compare(connection, death)
            # Only now: a row that the death had cost would not have come back.
            assert self._fingerprint(connection) == self._rows, death
        return death

    def _compare(self, connection: Connection, death: Death) -> None:
        at = _revision(connection)
        wanted, found = self._catalogs[at], read_catalog(connection)
        assert found == wanted, f"{death}, at {at}: missing {wanted - found}, unexpected {found - wanted}"
        if connection.dialect.name == "sqlite":
            assert _scalar(connection, "PRAGMA integrity_check") == "ok", death
            assert not connection.exec_driver_sql("PRAGMA foreign_key_check").all(), death

    def _fingerprint(self, connection: Connection) -> dict[str, tuple[int, str]]:
        return fingerprint(connection, columns=self._columns, as_stored=True)

    def _job(self, url: str, revision: str, beat: str | None = None) -> Job:
        return Job(["upgrade", revision], self._config, url, beat=beat)

    def _start(self, url: str) -> Process:
        return self._forks.start(self._job(url, "head", str(self._fifo)))[0]


def _connected(url: str) -> Connection:
    isolation = {"postgresql": "AUTOCOMMIT"}.get(make_url(url).get_backend_name(), "SERIALIZABLE")
    return create_engine(url, poolclass=NullPool, isolation_level=isolation).connect()


def _revision(connection: Connection) -> str:
    return str(_scalar(connection, "SELECT version_num FROM alembic_version"))


def _scalar(connection: Connection, question: str) -> Any:
    return connection.execute(text(question)).scalar_one()
