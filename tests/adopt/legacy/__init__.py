"""Databases as other people left them: built the way theirs were built, with rows in them.

The SQL files are what each tool writes, word for word where it is known; `past` is our own tables, made by `create_all()`.
"""

from pathlib import Path

from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

HERE = Path(__file__).parent
CHAT_AGENT = "chat_agent.sqlite.sql"
"""SQLite: a chat agent with a home-made runner and four files in `_migrations`."""
TYPESCRIPT_AGENT = "typescript_agent.postgresql.sql"
"""PostgreSQL: an agent in TypeScript, its versions in `schema_migrations`."""
SEQUELIZE = {"sqlite": "sequelize.sqlite.sql", "postgresql": "sequelize.postgresql.sql"}
"""What `sync({alter: true})` leaves: camelCase, native ENUM types on PostgreSQL, `SequelizeMeta`."""
PRD_MAKER = "prd_maker.sql"
"""Either: sections, sessions and messages, and no runner at all."""


def build(url: str, name: str) -> None:
    """Run a file of this folder against a database, as its tool would have: in one go, with a driver and nothing else."""
    run(url, (HERE / name).read_text(encoding="utf-8"))


def run(url: str, script: str) -> None:
    """Run a script of many statements."""
    engine = create_engine(url, poolclass=NullPool)
    driver = engine.raw_connection()
    try:
        if make_url(url).get_backend_name() == "sqlite":
            driver.driver_connection.executescript(script)  # type: ignore[union-attr]
        else:
            driver.cursor().execute(script)
        driver.commit()
    finally:
        driver.close()
