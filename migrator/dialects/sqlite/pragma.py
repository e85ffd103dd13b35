"""SQLite's PRAGMAs, read and set outside of a transaction: inside one, some say what is not so, and some do nothing and say nothing."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection


def get(connection: Connection, name: str) -> object:
    """Return the value of a PRAGMA. No transaction stays open."""
    value = outside(connection, f"PRAGMA {name}").scalar()
    connection.rollback()
    return value


def put(connection: Connection, name: str, value: object) -> None:
    """Set a PRAGMA. No transaction stays open."""
    outside(connection, f"PRAGMA {name} = {value}").close()
    connection.rollback()


def file_of(connection: Connection) -> Path | None:
    """Return the file of the main database, None for one in memory. Reads only; no transaction stays open."""
    rows = outside(connection, "PRAGMA database_list").all()
    connection.rollback()
    path = next((row.file for row in rows if row.name == "main"), "")
    return Path(path) if path else None


def outside(connection: Connection, statement: str) -> sa.CursorResult[Any]:
    """Execute a statement outside of any transaction of SQLite's, though SQLAlchemy counts one from here on."""
    if not connection.in_transaction():
        connection.begin()
    leave_transaction(connection)
    return connection.exec_driver_sql(statement)


def leave_transaction(connection: Connection) -> None:
    """End what a listener of the project's own has begun when SQLAlchemy began; nothing has happened in there yet."""
    driver = connection.connection
    if getattr(driver.driver_connection, "in_transaction", False):
        driver.rollback()
