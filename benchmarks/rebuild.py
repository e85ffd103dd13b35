"""A rebuild of a large table, ours against stock Alembic on copies of one database, by turns in one run.

`python -m benchmarks.rebuild [--rows 1000000] [--rounds 7]` prints the ratio of the medians for SQLite and for PostgreSQL.
"""

import argparse
import io
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from tests.kit.postgres import Server, server

_REVISION = '''"""Widen the total."""

import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade():
    with op.batch_alter_table("orders") as batch:
        batch.alter_column("total", existing_type=sa.Integer(), type_=sa.BigInteger())


def downgrade():
    pass
'''
_STOCK = """context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()"""
_OURS = "migrator.run(connection, target_metadata=None)"
_ENV = """import migrator
from alembic import context

with context.config.attributes["connection"].connect() as connection:
    {call}
"""
_SETUP = """
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, email VARCHAR(50) NOT NULL, total INTEGER,
        CONSTRAINT fk_orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE);
    CREATE INDEX ix_orders_email ON orders (email);
    CREATE INDEX ix_orders_customer ON orders (customer_id);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO customers SELECT i, 'c' || i FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
        INSERT INTO orders SELECT i, 1 + i % 1000, 'user' || i || '@example.org', i % 977 FROM n
"""


def main() -> None:
    """Measure, and print one line a database."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, server() as postgres:
        folder = Path(name)
        projects = {"stock": _project(folder / "stock", _STOCK), "ours": _project(folder / "ours", _OURS)}
        sqlite = f"sqlite:///{folder / 'made.db'}"
        _fill(sqlite, options.rows)
        _measure("SQLite", projects, options.rounds, lambda label: _file_copy(folder, label))
        template = postgres.create_database()
        _fill(template, options.rows)
        _measure("PostgreSQL", projects, options.rounds, lambda label: _database_copy(postgres, template))


def _project(folder: Path, call: str) -> Path:
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "001_widen.py").write_text(_REVISION)
    (folder / "migrations" / "env.py").write_text(_ENV.format(call=call))
    ini = folder / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n")
    return ini


def _fill(url: str, rows: int) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in _SETUP.format(rows=rows).split(";"):
            connection.execute(sa.text(statement))
    engine.dispose()


Copy = tuple[str, Callable[[], None]]


def _file_copy(folder: Path, label: str) -> Copy:
    copy = folder / f"{label}.db"
    shutil.copyfile(folder / "made.db", copy)
    return f"sqlite:///{copy}", copy.unlink


def _database_copy(postgres: Server, template: str) -> Copy:
    url = postgres.create_database(template=template)
    return url, lambda: postgres.drop_database(url)


def _measure(database: str, projects: dict[str, Path], rounds: int, copy: Callable[[str], Copy]) -> None:
    seconds: dict[str, list[float]] = {label: [] for label in projects}
    for number in range(rounds):
        for label in sorted(projects, reverse=bool(number % 2)):
            url, drop = copy(label)
            seconds[label].append(_upgrade(projects[label], url))
            drop()
    medians = {label: statistics.median(times) for label, times in seconds.items()}
    ratio = medians["ours"] / medians["stock"]
    print(
        f"{database}: stock {medians['stock']:.2f} s, ours {medians['ours']:.2f} s, ratio {ratio:.2f} ({rounds} rounds)"
    )


def _upgrade(ini: Path, url: str) -> float:
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    config = Config(str(ini), stdout=io.StringIO())
    config.attributes["connection"] = engine
    started = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        command.upgrade(config, "head")
    engine.dispose()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
