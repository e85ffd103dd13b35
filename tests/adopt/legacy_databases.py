"""What the tests of stamp, adopt and baseline have in common: the real project, run inside this process."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import Migrator
from migrator.cli.main import main
from migrator.schema.snapshot import reflecting
from tests.kit import CONFIG
from tests.kit.database import connected, execute
from tests.kit.fingerprint import columns_of, fingerprint
from tests.kit.processes import Result

RUNNERS = ("_migrations", "schema_migrations", "SequelizeMeta")


def engine(url: str) -> Migrator:
    """The scaffold's own history, on that database."""
    return Migrator(CONFIG, database_url=url)


def cli(capsys: pytest.CaptureFixture[str], url: str, *arguments: str, config: Path = CONFIG) -> Result:
    """What `migrate.py` would print and return, without a process of its own."""
    capsys.readouterr()
    code = main(["--database-url", url, *arguments], config=config)
    return Result(code, *capsys.readouterr())


def data(url: str) -> dict[str, tuple[int, str]]:
    """Every row of every table that is not the engine's, in the columns that are there now."""
    with connected(url) as connection, reflecting():
        return fingerprint(connection, as_stored=True)


def data_in(url: str, columns: dict[str, list[str]]) -> dict[str, tuple[int, str]]:
    """The rows again, in the columns that were there before."""
    with connected(url) as connection:
        return fingerprint(connection, columns=columns, as_stored=True)


def columns(url: str) -> dict[str, list[str]]:
    """The columns of every table that is not the engine's."""
    with connected(url) as connection:
        return columns_of(connection)


def is_sqlite(url: str) -> bool:
    """Which of the two it is."""
    return sa.make_url(url).get_backend_name() == "sqlite"


def change_ddl(url: str, table: str, old: str, new: str, postgresql: str) -> None:
    """Change a table's definition: SQLite's by its text, because it has no statement for it, PostgreSQL's by an ALTER."""
    if not is_sqlite(url):
        execute(url, postgresql)
        return
    with connected(url) as connection:
        sql = connection.scalar(sa.text("SELECT sql FROM sqlite_schema WHERE name = :name"), {"name": table})
        assert old in sql, sql
        connection.exec_driver_sql("PRAGMA writable_schema = ON")
        connection.execute(
            sa.text("UPDATE sqlite_schema SET sql = :sql WHERE name = :name"),
            {"sql": sql.replace(old, new), "name": table},
        )
        connection.exec_driver_sql("PRAGMA writable_schema = RESET")
