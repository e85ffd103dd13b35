"""A migration engine for Alembic: every run is locked, atomic, verified and recorded.

The public names load on first use, so that `import migrator` costs nothing. A Python older than 3.11 has to read this file,
because it is here that it is told so.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if sys.version_info < (3, 11):  # noqa: UP036 - whoever copies the folder has no installer that says it
    raise ImportError(
        "migrator needs Python 3.11 or later; this is {}.{}. Nothing was changed.\n"
        "Run the command with a newer Python, for example:\n  python3.13 migrate.py upgrade".format(*sys.version_info)
    )

if TYPE_CHECKING:
    from migrator.api import Migrator
    from migrator.errors.tree import (
        DatabaseError,
        HistoryError,
        LockError,
        MigratorError,
        NotAtHead,
        SettingsError,
        StampRefused,
        StepFailed,
    )
    from migrator.runner.environment import run_env
    from migrator.runner.run import run
    from migrator.settings import Settings

_HOMES = {
    "Migrator": "api",
    "run": "runner.run",
    "run_env": "runner.environment",
    "Settings": "settings",
    "MigratorError": "errors.tree",
    "SettingsError": "errors.tree",
    "HistoryError": "errors.tree",
    "DatabaseError": "errors.tree",
    "LockError": "errors.tree",
    "StampRefused": "errors.tree",
    "StepFailed": "errors.tree",
    "NotAtHead": "errors.tree",
}

__version__ = "0.1.0"

__all__ = [
    "DatabaseError",
    "HistoryError",
    "LockError",
    "Migrator",
    "MigratorError",
    "NotAtHead",
    "Settings",
    "SettingsError",
    "StampRefused",
    "StepFailed",
    "run",
    "run_env",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in ("Migrator", "run", "run_env"):
        import_module(f"{__name__}.versions").check()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
