"""What the engine raises. `raise error("step-failed", error=text)` is the only way to make one.

Importing this loads nothing else, so that settings, the log and the fast path stay light; the classes and texts load when one is raised.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrator.errors.tree import MigratorError

__all__ = ["error"]


def error(code: str, /, **fields: Any) -> "MigratorError":
    """Return the error that the catalogue has for `code`; its class stands there. `fields` are data, never joined prose."""
    from migrator.errors.texts import CATALOGUE

    message = CATALOGUE[code]
    made: MigratorError = message.kind(code, message, fields)
    return made
