"""What a person or a program reads on standard output: tables for a terminal, plain lines or one JSON document elsewhere."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrator.adopt.match import Adoption
    from migrator.results import Entry, Report, Revision, Status

_GREEN, _YELLOW, _PLAIN = "\033[32m", "\033[33m", "\033[0m"


def report(done: "Report", *, quiet: bool) -> None:
    """Print in three lines what a run did; in one when there was nothing to do."""
    if quiet:
        return
    after = ", ".join(done.after) or "base"
    if not done.steps:
        print(f"{done.url}\nNothing to do: the database is at {after}.")
        return
    verb = {"upgrade": "Applied", "downgrade": "Took back", "stamp": "Stamped"}[done.steps[0].direction]
    names = ", ".join(step.revision for step in done.steps)
    count = f"{len(done.steps)} revision{'s' if len(done.steps) != 1 else ''}"
    print(f"{done.url}\n{verb} {count} in {done.seconds:.2f} s: {names}.")
    print(f"The database was at {', '.join(done.before) or 'base'} and is at {after}.")


def status(found: "Status") -> None:
    """Print every revision and the count of those that are pending."""
    table(("revision", "state", "applied at", "took", "description"), [_status_row(r) for r in found.revisions])
    at, applied = ", ".join(found.at) or "base", len(found.revisions) - len(found.pending)
    print(f"{found.url}\nThe database is at {at}: {applied} applied, {len(found.pending)} pending.")


def _status_row(revision: "Revision") -> tuple[str, ...]:
    at = "" if revision.applied_at is None else revision.applied_at.isoformat(sep=" ", timespec="seconds")
    took = "" if revision.seconds is None else f"{revision.seconds:.2f} s"
    edited = "  (edited since it was applied)" if revision.edited else ""
    return revision.revision, "applied" if revision.applied else "pending", at, took, revision.description + edited


def log(entries: "Sequence[Entry]") -> None:
    """Print what ran, newest first, each with its error where it has one."""
    heading = ("finished at", "revision", "direction", "outcome", "took", "by", "description")
    table(heading, [_log_row(entry) for entry in entries])


def _log_row(entry: "Entry") -> tuple[str, ...]:
    at = entry.finished_at.isoformat(sep=" ", timespec="seconds")
    text = entry.description if entry.error is None else entry.error.partition("\n")[0]
    took = f"{entry.duration_ms / 1000:.2f} s"
    return at, entry.revision, entry.direction, entry.outcome, took, entry.who, text


def log_document(entries: "Sequence[Entry]") -> list[dict[str, Any]]:
    """Return `log --json`: every column."""
    return [
        {**asdict(e), "started_at": e.started_at.isoformat(), "finished_at": e.finished_at.isoformat()} for e in entries
    ]


def status_document(found: "Status") -> dict[str, Any]:
    """Return `status --json`."""
    return {
        "url": found.url,
        "at": list(found.at),
        "head": found.head,
        "pending": len(found.pending),
        "revisions": [
            {
                "revision": r.revision,
                "description": r.description,
                "applied": r.applied,
                "applied_at": None if r.applied_at is None else r.applied_at.isoformat(),
                "seconds": r.seconds,
                "edited": r.edited,
                "path": str(r.path),
            }
            for r in found.revisions
        ],
    }


def adoption(found: "Adoption", *, quiet: bool) -> None:
    """Print where a database is by its schema, why that is sure, and what was done."""
    if quiet:
        return
    best, alike = found.verdict.best, found.verdict.alike
    if found.bridge is not None:
        print(
            f"Written, not run: {found.bridge}\nIt leads to {best.revision}. Read it, then: adopt --bridge {found.bridge}"
        )
        return
    plural = "" if len(best.differences) == 1 else "s"
    harmless = (
        f"but for {len(best.differences)} harmless difference{plural}"
        if best.harmless
        else "now that the bridge has run"
    )
    sure = "exactly" if best.exact else harmless
    print(f"The schema is that of {best.revision}, {sure}; every revision was replayed and compared.")
    if alike:
        print(f"{', '.join(alike)} give the same schema: the earliest is taken, so that no change of rows is left out.")
    others(found)
    if found.report is not None:
        report(found.report, quiet=False)
    else:
        print("Nothing was written." if not found.is_there else "The version table says so already.")


def others(found: "Adoption") -> None:
    """Print what other runners applied, and the tables that are nobody's here."""
    for row in found.earlier:
        when = "" if row.applied_at is None else f" at {row.applied_at.isoformat(sep=' ', timespec='seconds')}"
        print(f"Applied before by {row.runner}{when}: {' '.join(filter(None, (row.name, row.description)))}")
    if found.verdict.extra:
        print(f"Left alone, no revision makes them: {', '.join(found.verdict.extra)}")


def adoption_document(found: "Adoption") -> dict[str, Any]:
    """Return `adopt --json`."""
    verdict = found.verdict
    return {
        "said": list(found.at),
        "revision": verdict.best.revision,
        "exact": verdict.best.exact,
        "alike": list(verdict.alike),
        "extra": list(verdict.extra),
        "matches": [
            {"revision": match.revision, "differences": [asdict(difference) for difference in match.differences]}
            for match in verdict.matches
        ],
        "earlier": [
            {**asdict(row), "applied_at": row.applied_at and row.applied_at.isoformat()} for row in found.earlier
        ],
        "stamped": found.report is not None,
        "bridge": None if found.bridge is None else str(found.bridge),
    }


def document(value: Any) -> None:
    """Print one JSON document."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    print()


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows: aligned and coloured under a heading on a terminal, else one line each, tabs between."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    widths = [max(len(cell) for cell in column) for column in zip(heading, *rows, strict=True)]
    for row in (heading, *rows):
        print("  ".join(_paint(cell, cell.ljust(width)) for cell, width in zip(row, widths, strict=True)).rstrip())


def _paint(word: str, text: str) -> str:
    colour = {"applied": _GREEN, "pending": _YELLOW}.get(word)
    return text if colour is None or os.environ.get("NO_COLOR") else f"{colour}{text}{_PLAIN}"
