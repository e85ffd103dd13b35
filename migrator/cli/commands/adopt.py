"""`adopt`: find the revision whose schema an existing database has, and stamp it."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.cli import output
from migrator.cli.command import JSON, Command, argument, switch
from migrator.errors.program import program

if TYPE_CHECKING:
    from migrator.api import Migrator
    from migrator.results.adoption import Adoption, Match

_OPTIONS = ("upgrade", "accept_harmless", "fix", "bridge", "dry_run")


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Adopt the database and print what was found and done; a refusal is printed too, in front of the error."""
    from migrator.errors.tree import HistoryError, StampRefused

    try:
        adoption = engine.adopt(**{name: getattr(options, name) for name in _OPTIONS})
    except (HistoryError, StampRefused) as refusal:
        if (found := refusal.fields.get("adoption")) is not None:
            _print(found, options, _show_others)
        raise
    _print(adoption, options, _show)
    return 0


def _print(adoption: "Adoption", options: argparse.Namespace, show: "Callable[[Adoption], None]") -> None:
    if options.json:
        output.document(_document(adoption))
    elif not options.quiet:
        show(adoption)


def _show(adoption: "Adoption") -> None:
    best, alike = adoption.verdict.best, adoption.verdict.alike
    if adoption.bridge is not None:
        output.say(f"Written, not run: {adoption.bridge}")
        for step in adoption.steps:
            output.say(f"  It {step}.")
        output.say(f"It takes the database to {best.revision}. Read it, then run it:")
        output.say(f"  {program()} adopt --bridge {adoption.bridge}")
        return
    output.say(f"The database has {_the_schema_of(best)}; every revision was replayed and compared.")
    if adoption.verdict.not_compared:
        output.say(f"Not compared: {', '.join(adoption.verdict.not_compared)}.")
    if alike:
        output.say(
            f"{', '.join(alike)} have the same schema. The earliest is taken, so that no change of rows is left out."
        )
    _show_others(adoption)
    if adoption.report is not None:
        output.report(adoption.report)
    else:
        output.say("The version table says so already." if adoption.is_there else "Nothing was written.")


def _the_schema_of(best: "Match") -> str:
    if best.exact and best.extra:
        return f"the schema of revision {best.revision}, and more that no revision creates"
    if best.exact:
        return f"exactly the schema of revision {best.revision}"
    if not best.harmless:
        return f"the schema of revision {best.revision}, now that the bridge has run"
    count = len(best.differences)
    return f"the schema of revision {best.revision}, apart from {count} harmless difference{'' if count == 1 else 's'}"


def _show_others(adoption: "Adoption") -> None:
    """Print the other runners' tables, what they applied, and what belongs to no revision."""
    for runner in adoption.runners:
        output.say(f"Another runner's table, left alone: {runner}")
    for row in adoption.imported:
        when = "" if row.applied_at is None else f" at {output.moment(row.applied_at)}"
        output.say(f"Applied by {row.runner}{when}: {' '.join(filter(None, (row.name, row.description)))}")
    left_alone = [*adoption.verdict.extra, *(each.text for each in adoption.verdict.best.extra)]
    if left_alone:
        output.say(f"Left alone, because no revision creates them: {', '.join(left_alone)}")


def _document(adoption: "Adoption") -> dict[str, Any]:
    verdict = adoption.verdict
    return {
        "at": list(adoption.at),
        "revision": verdict.best.revision,
        "exact": verdict.best.exact,
        "alike": list(verdict.alike),
        "extra": list(verdict.extra),
        "left_alone": [asdict(each) for each in verdict.best.extra],
        "not_compared": list(verdict.not_compared),
        "matches": [
            {"revision": match.revision, "differences": [asdict(difference) for difference in match.differences]}
            for match in verdict.matches
        ],
        "runners": [asdict(each) for each in adoption.runners],
        "imported": [
            {**asdict(row), "applied_at": row.applied_at and row.applied_at.isoformat()} for row in adoption.imported
        ],
        "stamped": adoption.report is not None,
        "steps": list(adoption.steps),
        "bridge": None if adoption.bridge is None else str(adoption.bridge),
    }


COMMAND = Command(
    "adopt",
    "find the revision whose schema an existing database has, and stamp it",
    run,
    (
        JSON,
        switch("--upgrade", "then continue to head"),
        switch("--dry-run", "only say what would be stamped"),
        switch("--accept-harmless", "stamp even if harmless differences remain"),
        switch("--fix", "write the operations that lead to the nearest revision, and run nothing"),
        argument("--bridge", type=Path, metavar="FILE", help="run a file that --fix has written, compare, and stamp"),
    ),
    writes=True,
)
