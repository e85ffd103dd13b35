"""SQLite's PRAGMAs, read and set outside of a transaction."""

from pathlib import Path

from sqlalchemy.engine import Connection


def get(connection: Connection, name: str) -> object:
    """Return the value of a PRAGMA. No transaction stays open."""
    value = connection.exec_driver_sql(f"PRAGMA {name}").scalar()
    connection.rollback()
    return value


def put(connection: Connection, name: str, value: object) -> None:
    """Set a PRAGMA. No transaction stays open."""
    connection.exec_driver_sql(f"PRAGMA {name} = {value}")
    connection.rollback()


def file_of(connection: Connection) -> Path | None:
    """Return the file of the main database, None for one in memory. Reads only; no transaction stays open."""
    rows = connection.exec_driver_sql("PRAGMA database_list").all()
    connection.rollback()
    path = next((row[2] for row in rows if row[1] == "main"), "")
    return Path(path) if path else None
