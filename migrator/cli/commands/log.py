"""`log`: what really ran."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from migrator.cli import output
from migrator.cli.command import JSON, Command, argument

if TYPE_CHECKING:
    from migrator.api import Migrator
    from migrator.results import Entry

_HEADING = ("finished at", "revision", "direction", "outcome", "took", "by", "description")


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Print the entries of the log, newest first, each with its error where it has one."""
    entries = engine.log(options.limit)
    if options.json:
        output.document([_document(entry) for entry in entries])
    else:
        output.table(_HEADING, [_row(entry) for entry in entries])
    return 0


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
    (JSON, argument("--limit", type=int, metavar="N", help="only the newest N entries")),
)
