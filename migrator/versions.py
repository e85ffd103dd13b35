"""The least versions of what the engine stands on, and the error for older ones.

A Python that is too old never gets here: `migrator/__init__.py` and migrate.py refuse it, in words that it can read.
"""

import re
from importlib import import_module

from migrator.errors import error

# pyproject.toml states the same; the tests run the engine on exactly these, and on the newest. The reasons:
#   Alembic 1.16 is the oldest whose batch mode and configuration the engine knows.
#   SQLAlchemy before 2.0.45 now and then loses a new unique constraint on a column that the same batch renames.
LEAST = {"alembic": "1.16", "sqlalchemy": "2.0.45"}

# The first Alembic whose autogenerate can compare CHECK constraints; it does so by name.
_COMPARES_CHECKS = "1.19.2"


def check() -> None:
    """Raise SettingsError where Alembic or SQLAlchemy is older than the engine needs; changes nothing.

    One that is not installed at all raises ModuleNotFoundError.
    """
    for package, least in LEAST.items():
        found = import_module(package).__version__
        if _numbers(found) < _numbers(least):
            raise error("version-too-old", package=package, version=found, least=least)


def check_plugins() -> list[str]:
    """Return the plugins of Alembic's that make autogenerate compare CHECK constraints; none before Alembic 1.19.2."""
    import alembic

    has = _numbers(alembic.__version__) >= _numbers(_COMPARES_CHECKS)
    return ["alembic.ext.checkconstraint_byname"] if has else []


def _numbers(version: str) -> tuple[int, ...]:
    """The release of a version, without what marks it as early: 2.1.0b1 counts as 2.1.0."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
