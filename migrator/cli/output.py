"""What a user or a program reads on standard output: tables for a terminal, plain lines or one JSON document elsewhere.

All but JSON goes through `say` and `table`, so that no text from a database or a file moves the cursor or hides what stands before it.
"""

import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from migrator.errors import error
from migrator.errors.printable import printable

if TYPE_CHECKING:
    from migrator.results import Report

_GREEN, _YELLOW, _PLAIN = "\033[32m", "\033[33m", "\033[0m"
_DONE = {"upgrade": "Applied", "downgrade": "Reverted", "stamp": "Stamped"}


def say(text: str, *, lines: bool = False, file: TextIO | None = None) -> None:
    """Print a line; its control characters are escaped. `lines` is for a text of several, in which no name from elsewhere stands raw."""
    print(printable(text, lines=lines), file=file)


def report(done: "Report", *, quiet: bool = False) -> None:
    """Print in three lines what a run did; in two when there was nothing to do."""
    if quiet:
        return
    after = heads(done.after)
    if not done.steps:
        say(done.url)
        say(f"Nothing to do: the database is at {after}.")
        return
    names = printable(", ".join(step.revision for step in done.steps))
    count = f"{len(done.steps)} revision{'s' if len(done.steps) != 1 else ''}"
    say(done.url)
    say(f"{_DONE[done.steps[0].direction]} {count} in {done.seconds:.2f} s: {names}.")
    say(f"The database was at {heads(done.before)} and is at {after}.")


def heads(revisions: Sequence[str]) -> str:
    """Return the heads of a version table in words; none is base."""
    return printable(", ".join(revisions)) or "base"


def moment(at: datetime) -> str:
    """Return a time as users read it, to the second."""
    return at.isoformat(sep=" ", timespec="seconds")


def document(value: Any) -> None:
    """Print one JSON document."""
    knows_all = sys.stdout.encoding.lower().startswith("utf")  # else the escapes have to be JSON's
    json.dump(value, sys.stdout, indent=2, ensure_ascii=not knows_all)
    print()


def sql(text: str) -> None:
    """Print SQL exactly as it is. Raises SettingsError for a character that the output's encoding does not have."""
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError as lacking:
        character = text[lacking.start : lacking.end]
        reason = f"its encoding {sys.stdout.encoding} lacks {character!a} of the SQL; set PYTHONIOENCODING=utf-8"
        raise error("file-unusable", path="Standard output", reason=reason) from None
    sys.stdout.write(text)


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows: aligned and coloured under a heading on a terminal, else one line each with tabs between the cells."""
    shown: list[Sequence[str]] = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in shown:
            print("\t".join(row))
        return
    widths = [max(len(cell) for cell in column) for column in zip(heading, *shown, strict=True)]
    for row in (heading, *shown):
        print("  ".join(_paint(cell, cell.ljust(width)) for cell, width in zip(row, widths, strict=True)).rstrip())


def _paint(word: str, text: str) -> str:
    colour = {"applied": _GREEN, "pending": _YELLOW}.get(word)
    return text if colour is None or os.environ.get("NO_COLOR") else f"{colour}{text}{_PLAIN}"
