"""One error's text as a template, and how data in `fields` becomes words."""

import string
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from migrator.errors.printable import printable
from migrator.errors.program import program
from migrator.errors.progress import Progress, consequence, listed

_MOST_ROWS = 20
_LONGEST_ROW = 300  # characters


class Message(NamedTuple):
    """The class of an error, its fact, its remedy (which ends in a command that can be pasted), and its consequence.

    Templates take `{cli}` (the program that the user typed), `{changed}` (what the run knows was changed, see `errors.progress`), `{at}`
    (where the database is), `{again}` (the command that a step failed in), and the error's fields. `{names!c}` joins with commas,
    `{rows!b}` makes a list, `{heads!h}` says base for none, `{ids!i}` shortens many to the first and the last; `{who!l}` keeps to one
    line. What a field holds may come from the database or from another program, so no control character of it is shown.
    """

    kind: type[Any]
    fact: str
    remedy: str
    consequence: str = "{changed}"

    def render(self, fields: Mapping[str, Any], progress: Progress | None) -> str:
        """Return fact, consequence and remedy in lines of their own. Reads nothing."""
        return "\n".join(self._rendered(text, fields, progress) for text in (self.fact, self.consequence, self.remedy))

    def render_fact(self, fields: Mapping[str, Any]) -> str:
        """Return the fact alone. Reads nothing."""
        return self._rendered(self.fact, fields, None)

    def _rendered(self, text: str, fields: Mapping[str, Any], progress: Progress | None) -> str:
        at = () if progress is None else progress.at
        given = {"cli": program(), "changed": consequence(progress), "at": at, "again": fields.get("direction", "")}
        return _FORMATTER.vformat(text, (), {**given, **fields})


class _Formatter(string.Formatter):
    def convert_field(self, value: Any, conversion: Any) -> Any:
        match conversion:
            case "c":
                return printable(", ".join(map(str, value)) or "none")
            case "h":
                return printable(", ".join(value) or "base")
            case "i":
                return printable(listed(value) if value else "no revisions yet")
            case "b":
                return _rows(value)
            case "l":
                return printable(str(value))
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> Any:
        return printable(super().format_field(value, format_spec), lines=True)


_FORMATTER = _Formatter()


def _rows(values: Iterable[Any]) -> str:
    rows = [printable(" ".join(str(value).split())) for value in values]
    more = [f"and {len(rows) - _MOST_ROWS} more"] if len(rows) > _MOST_ROWS else []
    return "".join(f"\n  - {row[:_LONGEST_ROW]}" for row in [*rows[:_MOST_ROWS], *more])
