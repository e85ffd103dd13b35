"""The databases: which class answers for which, the only place that knows their names."""

from sqlalchemy.engine import Connection

from migrator.dialects.base import Dialect
from migrator.dialects.postgresql import PostgreSQL
from migrator.dialects.sqlite import SQLite
from migrator.errors import SettingsError
from migrator.settings import Settings

_BY_NAME: dict[str, type[Dialect]] = {"sqlite": SQLite, "postgresql": PostgreSQL}


def named(name: str, settings: Settings) -> Dialect:
    """Return the dialect that answers for SQLAlchemy's dialect `name`; SettingsError where there is none."""
    if name not in _BY_NAME:
        raise SettingsError("url-unsupported", name=name, source="the connection handed in")
    return _BY_NAME[name](settings)


def of(connection: Connection, settings: Settings) -> Dialect:
    """Return the dialect that answers for the connection."""
    return named(connection.dialect.name, settings)


__all__ = ["Dialect", "named", "of"]
