"""Rows of the log, read: whoever may write to the table may have put anything into it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from migrator.errors import error
from migrator.history.log_query import RAN, moment
from migrator.results import Entry, Ran

IMPORTED = ("imported", "earlier")  # how the log calls what other runners applied, now and in its first release
ENTRY = tuple(field.name for field in fields(Entry))
_NEVER_NULL = frozenset(("revision", "description", "direction", "outcome"))


def entry_of(row: Mapping[str, Any], log: str) -> Entry:
    """Return the entry of a row, as the driver gives it; columns that an older release did not have are None.

    Raises DatabaseError "log-unreadable" for a value that the engine never writes. `log` is the table's name.
    """
    values = {name: _read(name, row.get(name), row, log) for name in ENTRY}
    if values["direction"] in IMPORTED:
        values["direction"] = "imported"
    return Entry(**values)


def ran_of(row: Mapping[str, Any], log: str) -> Ran:
    """Return the same of a row that has only the columns of `Ran`."""
    return Ran(**{name: _read(name, row[name], row, log) for name in RAN})


def _read(name: str, value: Any, row: Mapping[str, Any], log: str) -> Any:
    try:
        if name in _READ:
            return _READ[name](value)
        if value is None and name in _NEVER_NULL:
            raise ValueError
        return value if value is None else _text(value)
    except (ValueError, OverflowError):
        raise error("log-unreadable", table=log, id=row["id"], column=name, value=value) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError
    return value


def _statements(value: Any) -> list[str] | None:
    found = json.loads(value) if isinstance(value, str) else value
    if found is None or (isinstance(found, list) and all(isinstance(one, str) for one in found)):
        return found
    raise ValueError


_READ: Mapping[str, Callable[[Any], Any]] = {
    "id": _number,
    "started_at": moment,
    "finished_at": moment,
    "duration_ms": _number,
    "statements": _statements,
}
