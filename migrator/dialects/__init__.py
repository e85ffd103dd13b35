"""The databases that the engine knows. Each is a folder here; `NAMES` is the only row that a new one adds. Importing this loads none.

A folder has four modules that others ask for: `look` (loads no SQLAlchemy), `url` and `types` (load SQLAlchemy and no Alembic), and
`dialect`, whose `DIALECT` is the one stateless `Dialect` of that database.
"""

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from migrator.errors import error

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from migrator.dialects.dialect import Dialect

__all__ = ["NAMES", "named", "of", "part", "titles"]

# The scheme of a URL, or the name of SQLAlchemy's dialect, and the folder that answers for it.
NAMES = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}


def part(name: str, module: str) -> ModuleType:
    """Return one module of a database's folder. `name` is a key of `NAMES`, `module` is "look", "url", "types" or "dialect"."""
    return import_module(f"{__name__}.{NAMES[name]}.{module}")


@cache
def named(name: str) -> "Dialect":
    """Return the dialect of SQLAlchemy's dialect `name`. It is stateless and shared. Raises SettingsError for an unknown database."""
    if name not in NAMES:
        raise error("url-unsupported", name=name, source="the connection handed in", known=titles())
    dialect: Dialect = part(name, "dialect").DIALECT
    return dialect


def of(connection: "Connection") -> "Dialect":
    """Return the dialect of the connected database. Raises SettingsError for an unknown one."""
    return named(connection.dialect.name)


def titles() -> tuple[str, ...]:
    """Return how users write the names of the known databases, sorted."""
    return tuple(sorted({part(name, "url").TITLE for name in NAMES}))
