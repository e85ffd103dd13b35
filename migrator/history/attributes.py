"""What a revision file says of itself next to `revision`: how it is to be run. Read and checked when the run is planned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from migrator.dialects.session import Limits
from migrator.errors import error
from migrator.settings import Settings

_ALEMBICS = frozenset(("revision", "down_revision", "branch_labels", "depends_on"))
_CLOSE = 0.88  # of difflib's ratio: one letter missing, doubled, swapped or wrong in the shortest of these names


@dataclass(frozen=True)
class StepOptions:
    """A revision's own attributes. None leaves what the settings say."""

    lock_timeout: int | None = None
    """Milliseconds that a statement may queue for a table's lock on PostgreSQL."""
    statement_timeout: int | None = None
    """Milliseconds that one statement may take on PostgreSQL."""
    retry_for: float | None = None
    """Seconds during which the step is tried again when tables are in use."""
    idle_limit: float | None = None
    """Seconds that the step may ask PostgreSQL nothing; in place of the setting, and of what the server says for the role."""
    accept_loss: tuple[str, ...] = ()
    """What a rebuild on SQLite may lose, in the words of the error that lists it."""
    rerunnable: bool = False
    """Whether running it again from its start does no harm, after an interruption inside an `autocommit_block()`."""

    @classmethod
    def of(cls, module: ModuleType | None, *, revision: str = "", path: str = "") -> "StepOptions":
        """Read and check a loaded file's attributes; reads nothing else. Raises HistoryError for a bad value or a misspelt name."""
        found = {} if module is None else vars(module)
        values: dict[str, Any] = {}
        for name, value in found.items():
            reason = _refused(name, value)
            if reason is not None:
                raise error("attribute-refused", revision=revision, path=path, name=name, value=value, reason=reason)
            if name in _CHECKS and value is not None:
                values[name] = (value,) if name == "accept_loss" and isinstance(value, str) else value
        if "accept_loss" in values:
            values["accept_loss"] = tuple(values["accept_loss"])
        return cls(**values)

    def limits(self, settings: Settings) -> Limits:
        """Return what a session has to keep to while this step runs."""
        return Limits(
            lock_wait=settings.lock_wait,
            lock_timeout=settings.lock_timeout if self.lock_timeout is None else self.lock_timeout,
            statement_timeout=settings.statement_timeout if self.statement_timeout is None else self.statement_timeout,
            retry_for=settings.retry_for if self.retry_for is None else self.retry_for,
            idle_limit=self.idle_limit,
            accept_loss=frozenset((*settings.accept_loss, *self.accept_loss)),
            meant=frozenset(self.accept_loss),
        )


def _refused(name: str, value: object) -> str | None:
    """Return why an attribute cannot be used; None for one that can, and for a name that has nothing to do with the engine."""
    if name in _CHECKS:
        return None if value is None else _CHECKS[name](value)
    if name in _ALEMBICS or name.startswith("_") or not isinstance(value, int | float | str | tuple | list | set):
        return None
    near = next((known for known in _CHECKS if _is_near(name, known)), None)
    return None if near is None else f"there is no such attribute; did you mean {near}?"


def _is_near(name: str, known: str) -> bool:
    # lock_timeout_ms is a name of the file's own, lock_timeot is not.
    if name.startswith(f"{known}_"):
        return False
    from difflib import SequenceMatcher  # most files have no attribute to compare

    return SequenceMatcher(None, name, known, autojunk=False).ratio() >= _CLOSE


def _milliseconds(value: object) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return "it is a whole number of milliseconds"
    return None if value > 0 else "0 would switch the limit off; leave the attribute out for the setting's value"


def _seconds(value: object) -> str | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
        return "it is a number of seconds, 0 or more"
    return None


def _limit(value: object) -> str | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0.001 <= value < 2**31 / 1000:
        return "it is a number of seconds, 0.001 to 2147483"
    return None


def _texts(value: object) -> str | None:
    is_texts = isinstance(value, tuple | list | set | frozenset) and all(isinstance(item, str) for item in value)
    return (
        None
        if is_texts or isinstance(value, str)
        else "it is a tuple of texts, as the error that lists the losses shows it"
    )


def _switch(value: object) -> str | None:
    return None if isinstance(value, bool) else "it is True or False"


_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "lock_timeout": _milliseconds,
    "statement_timeout": _milliseconds,
    "retry_for": _seconds,
    "idle_limit": _limit,
    "accept_loss": _texts,
    "rerunnable": _switch,
}
