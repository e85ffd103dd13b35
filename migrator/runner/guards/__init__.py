"""The only list of guards. A new safety check is a file here and a line below."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from migrator.runner.guards.guard import Guard
from migrator.runner.request import Request
from migrator.runner.state import Run


class _Row(NamedTuple):
    """The module and class of a guard, and the requests that need it; it is loaded for no other."""

    module: str
    name: str
    wanted: Callable[[Request], bool]


def _always(request: Request) -> bool:
    return True


# In this order at each moment. A bridge comes first, because the other checks look at what it did.
_GUARDS = (
    _Row("edited_files", "EditedFiles", _always),
    _Row("adopted_downgrade", "AdoptedDowngrade", lambda request: request.direction == "downgrade"),
    _Row("stamp", "Stamp", lambda request: request.direction == "stamp"),
    _Row("imported_history", "ImportedHistory", lambda request: request.import_log),
    _Row("foreign_keys", "ForeignKeys", _always),
    _Row("rebuilds", "Rebuilds", _always),
    _Row("invalid_indexes", "InvalidIndexes", _always),
)


def guards_of(run: Run) -> tuple[Guard, ...]:
    """Return the guards that this run needs, in the order in which they look."""
    package = __name__
    return tuple(
        getattr(import_module(f"{package}.{row.module}"), row.name)(run) for row in _GUARDS if row.wanted(run.request)
    )
