"""A migration engine for Alembic: every run is locked, atomic, verified and recorded.

The public names load on first use, so that `import migrator` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
