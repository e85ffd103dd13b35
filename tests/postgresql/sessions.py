"""Other sessions of a PostgreSQL database, the project whose step meets them, and what the engine says meanwhile."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from migrator import Migrator
from tests.kit.projects import miniature, write_revisions

ANIMALS = """
def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True))
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO animals SELECT generate_series(1, 100)")
"""


def made_animals(url: str, directory: Path) -> str:
    """The alembic.ini of a project whose first revision, two tables with some rows, is applied."""
    config = miniature(directory, ANIMALS)
    Migrator(config, database_url=url).upgrade()
    return config


@contextmanager
def session(url: str, *statements: str) -> Iterator[Any]:
    """Somebody else's transaction, as a driver has it."""
    with closing(psycopg2.connect(url.replace("+psycopg2", ""), application_name="reporting")) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        yield connection


@contextmanager
def told(react: Callable[[list[str]], object]) -> Iterator[list[str]]:
    """What the engine says while it runs; `react` is called at each line."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING:
                lines.append(record.getMessage())
                react(lines)

    logger, handler = logging.getLogger("migrator"), Handler()
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def engine(config: str, url: str, **settings: Any) -> Migrator:
    """One that fails where it would wait for ever: a driver that waits cannot be interrupted."""
    return Migrator(config, database_url=url, **{"statement_timeout": 30_000, **settings})


def next_revision(config: str, body: str) -> None:
    write_revisions(Path(config).parent, [body], first=2)
