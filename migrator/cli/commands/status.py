"""`status`: every revision, applied or pending."""

import argparse
from typing import TYPE_CHECKING, Any

from migrator.cli import output
from migrator.cli.command import JSON, Command, switch

if TYPE_CHECKING:
    from migrator.api import Migrator
    from migrator.results import Revision, Status


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Print the status; exit 1 with --exit-code when revisions are pending."""
    status = engine.status()
    if options.json:
        output.document(_document(status))
    else:
        _show(status)
    return 1 if options.exit_code and status.pending else 0


def _show(status: "Status") -> None:
    output.table(("revision", "state", "applied at", "took", "description"), [_row(each) for each in status.revisions])
    applied = len(status.revisions) - len(status.pending)
    output.say(status.url)
    output.say(f"The database is at {output.heads(status.at)}: {applied} applied, {len(status.pending)} pending.")
    if len(status.heads) > 1:
        output.say(f"The history has {len(status.heads)} heads: {output.heads(status.heads)}.")


def _row(revision: "Revision") -> tuple[str, ...]:
    at = "" if revision.applied_at is None else output.moment(revision.applied_at)
    took = "" if revision.seconds is None else f"{revision.seconds:.2f} s"
    edited = "  (edited since it was applied)" if revision.edited else ""
    return revision.revision, "applied" if revision.applied else "pending", at, took, revision.description + edited


def _document(status: "Status") -> dict[str, Any]:
    revisions = [
        {
            "revision": each.revision,
            "description": each.description,
            "applied": each.applied,
            "applied_at": None if each.applied_at is None else each.applied_at.isoformat(),
            "seconds": each.seconds,
            "edited": each.edited,
            "path": str(each.path),
        }
        for each in status.revisions
    ]
    return {
        "url": status.url,
        "at": list(status.at),
        "head": status.head,
        "heads": list(status.heads),
        "pending": len(status.pending),
        "revisions": revisions,
    }


COMMAND = Command(
    "status",
    "list every revision, applied or pending",
    run,
    (JSON, switch("--exit-code", "exit 1 when revisions are pending")),
)
