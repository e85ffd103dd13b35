"""The databases: which class answers for which, the only place that knows their names. Only the one at hand is loaded."""

from importlib import import_module

from sqlalchemy.engine import Connection

from migrator.dialects.dialect import Dialect
from migrator.errors.tree import SettingsError
from migrator.settings import Settings

_BY_NAME = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def named(name: str, settings: Settings) -> Dialect:
    """Return the dialect that answers for SQLAlchemy's dialect `name`; SettingsError where there is none."""
    if name not in _BY_NAME:
        raise SettingsError("url-unsupported", name=name, source="the connection handed in")
    made: type[Dialect] = getattr(import_module(f"{__name__}.{name}.dialect"), _BY_NAME[name])
    return made(settings)


def of(connection: Connection, settings: Settings) -> Dialect:
    """Return the dialect that answers for the connection."""
    return named(connection.dialect.name, settings)


__all__ = ["Dialect", "named", "of"]
