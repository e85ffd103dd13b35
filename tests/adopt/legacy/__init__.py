"""Databases as other people left them: built the way theirs were built, with rows in them.

The SQL files are what each tool writes, word for word where it is known; `past` is our own tables, made by `create_all()`.
"""

from pathlib import Path

from tests.kit.database import execute_script

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
    """Run a file of this folder against a database, as its tool would have, in one go."""
    execute_script(url, (HERE / name).read_text(encoding="utf-8"))
