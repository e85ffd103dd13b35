"""What a test sees of a database, each time on a new connection."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.kit.fingerprint import fingerprint
from tests.kit.schema_text import Catalog, read_catalog

State = tuple[Catalog, dict[str, tuple[int, str]], list[str]]


@lru_cache(maxsize=16)
def engine(url: str) -> sa.Engine:
    """One engine a database, in autocommit and without a pool: a new one asks the server who it is, and compiles everything again."""
    return sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    """A connection in autocommit; a SQLite database that is missing comes to be."""
    with engine(url).connect() as connection:
        yield connection


def rows(url: str, question: str) -> list[Any]:
    """Every row; of a question with one column, its values."""
    with connected(url) as connection:
        found = connection.execute(sa.text(question)).all()
    return [row[0] if len(row) == 1 else tuple(row) for row in found]


def ask(url: str, question: str) -> Any:
    """The one value that the question has for an answer."""
    (value,) = rows(url, question)
    return value


def execute(url: str, *statements: str) -> None:
    """Execute statements by themselves, each committed at once."""
    with connected(url) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def execute_script(url: str, script: str) -> None:
    """Send a whole script as it stands, transactions and all, as `psql` and `sqlite3` would."""
    with connected(url) as connection, closing(connection.connection.cursor()) as cursor:
        getattr(cursor, "executescript", cursor.execute)(script)


def tables(url: str) -> set[str]:
    """The names of all tables."""
    with connected(url) as connection:
        return set(sa.inspect(connection).get_table_names())


def indexes(url: str, table: str) -> set[str]:
    """The names of a table's indexes."""
    with connected(url) as connection:
        return {str(found["name"]) for found in sa.inspect(connection).get_indexes(table)}


def heads(url: str) -> list[str]:
    """What the version table says; empty where there is none."""
    return rows(url, "SELECT version_num FROM alembic_version") if "alembic_version" in tables(url) else []


def logged(url: str, outcome: str = "done") -> list[str]:
    """The revisions in `migration_log`, oldest first, with the direction of each that was not an upgrade."""
    found = rows(url, f"SELECT revision, direction FROM migration_log WHERE outcome = '{outcome}' ORDER BY id")
    return [revision if direction == "upgrade" else f"{direction} {revision}" for revision, direction in found]


def state(url: str) -> State:
    """All that a failed step must leave as it was: the schema letter by letter, every row, the version."""
    with connected(url) as connection:
        return read_catalog(connection), fingerprint(connection, as_stored=True), heads(url)
