"""`log`: what really ran."""

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from migrator.cli import output
from migrator.cli.command import JSON, Command, argument, switch

if TYPE_CHECKING:
    from migrator.api import Migrator
    from migrator.results import Entry

_NEWEST = 100
_HEADING = ("finished at", "revision", "direction", "outcome", "took", "by", "description")


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Print the newest entries of the log, newest first, each with its error where it has one; say if a default left some out."""
    default = _NEWEST if options.limit is None and not options.all else None
    entries = engine.log(options.limit if default is None else default + 1)
    shown = entries[:default]
    if options.json:
        output.document([_document(entry) for entry in shown])
    else:
        output.table(_HEADING, [_row(entry) for entry in shown])
    if len(shown) < len(entries) and not options.quiet:
        output.say(f"These are the newest {default} entries; --all lists all.", file=sys.stderr)
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it is a number of entries, 1 or more")
    return number


def _row(entry: "Entry") -> tuple[str, ...]:
    at, took = output.moment(entry.finished_at), f"{entry.duration_ms / 1000:.2f} s"
    text = entry.description if entry.error is None else entry.error.partition("\n")[0]
    return at, entry.revision, entry.direction, entry.outcome, took, entry.who, text


def _document(entry: "Entry") -> dict[str, Any]:
    times = {"started_at": entry.started_at.isoformat(), "finished_at": entry.finished_at.isoformat()}
    return {**asdict(entry), **times}


COMMAND = Command(
    "log",
    "list what really ran, newest first",
    run,
    (
        JSON,
        argument("--limit", type=_count, metavar="N", help=f"the newest N entries, {_NEWEST} if not given"),
        switch("--all", "all entries"),
    ),
)
