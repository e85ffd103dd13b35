"""How long the application stands while a migration waits: `ADD COLUMN` behind an idle reader, this engine against stock Alembic.

A writer inserts at a fixed rate into a big table; a reader has looked at the table and idles in its transaction; the upgrade starts. Its
ALTER TABLE has to wait for the reader, and whoever comes after has to wait for the ALTER. Each write is timed from the moment at which it
was due, so that a stall is seen whole. Both contenders run here, one after the other, each on a fresh copy of the same database.

    python -m benchmarks.stall --rows 2000000 --rate 500
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from tests.kit.fork_server import Forks, Job, forks
from tests.kit.postgres import Server, server
from tests.kit.projects import miniature, write_revisions

TABLE = """
def upgrade():
    op.create_table("visits", sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True), sa.Column("page", sa.Text))
"""
COLUMN = """
def upgrade():
    op.add_column("visits", sa.Column("referrer", sa.Text))
"""
FILL = "INSERT INTO visits (page) SELECT '/page/' || i %% 1000 FROM generate_series(1, %s) i"


class Writer(threading.Thread):
    """Inserts a row at each tick; `longest` is the longest time from a tick to the end of its insert, in seconds."""

    def __init__(self, url: str, rate: float) -> None:
        super().__init__()
        self._url, self._tick = url, 1 / rate
        self._over = threading.Event()
        self.longest = 0.0
        self.rows = 0

    def run(self) -> None:
        with _session(self._url) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            due = time.monotonic()
            while not self._over.is_set():
                due += self._tick
                time.sleep(max(0.0, due - time.monotonic()))
                cursor.execute("INSERT INTO visits (page) VALUES ('/new')")
                self.longest = max(self.longest, time.monotonic() - due)
                self.rows += 1

    def stop(self) -> None:
        self._over.set()
        self.join()


def stalls(
    started: Forks, postgres: Server, folder: Path, *, rows: int, rate: float, idle: float
) -> tuple[float, float]:
    """Return the longest write stall in seconds, with stock Alembic and with this engine. Raises when an upgrade fails."""
    template = postgres.create_database()
    config = miniature(folder / "ours", TABLE)
    (made,) = started.run(Job(["upgrade"], config, template))
    assert made.code == 0, made
    with _session(template) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(FILL, [rows])
        cursor.execute("VACUUM ANALYZE visits")
    write_revisions(folder / "ours", [COLUMN], first=2)
    ours = postgres.create_database(template=template)
    stock = postgres.create_database(template=template)
    theirs = miniature(folder / "stock", TABLE, COLUMN, stock=True, url=stock)
    return (
        _stall(started, Job(["upgrade", "head"], theirs, stock, program="alembic"), rate, idle),
        _stall(started, Job(["upgrade", "head"], config, ours), rate, idle),
    )


def _stall(started: Forks, job: Job, rate: float, idle: float) -> float:
    writer = Writer(job.url, rate)
    with _session(job.url) as reader:
        writer.start()
        reader.cursor().execute("SELECT count(*) FROM (SELECT 1 FROM visits LIMIT 1) one")
        (process,) = started.start(job)
        time.sleep(idle)
        reader.rollback()
        result = process.wait()
    writer.stop()
    assert result.code == 0, result
    return writer.longest


@contextmanager
def _session(url: str) -> Iterator["psycopg2.extensions.connection"]:
    with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
        yield connection


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000, help="rows in the table (2000000)")
    parser.add_argument("--rate", type=float, default=500, help="writes a second (500)")
    parser.add_argument("--idle", type=float, default=5, help="seconds that the reader idles (5)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server() as postgres, forks(Path(folder)) as started:
        stock, ours = stalls(started, postgres, Path(folder), rows=options.rows, rate=options.rate, idle=options.idle)
    print(
        f"ADD COLUMN, {options.rows:,} rows, {options.rate:.0f} writes a second, a reader idle for {options.idle:.0f} s"
    )
    print(f"longest write stall: alembic {stock:.3f} s, this engine {ours:.3f} s: {stock / ours:.0f} times shorter")


if __name__ == "__main__":
    main()
