"""`downgrade`: revert revisions; asks before it does what cannot be undone."""

import argparse
import sys
from typing import TYPE_CHECKING

from migrator.cli import output
from migrator.cli.command import SQL, Command, revision, switch

if TYPE_CHECKING:
    from migrator.api import Migrator
    from migrator.errors.tree import MigratorError
    from migrator.results import Report

# The argument that allows a downgrade after all, by the code of the error that refuses it.
_PERMISSIONS = {"database-ahead": "run_stored", "downgrade-adopted": "drop_adopted"}


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Revert the revisions and print the report, or print their SQL."""
    if options.sql:
        output.sql(engine.sql("downgrade", options.revision))
    else:
        output.report(_reverted(engine, options), quiet=options.quiet)
    return 0


def _reverted(engine: "Migrator", options: argparse.Namespace) -> "Report":
    from migrator.errors.tree import HistoryError

    allowed: dict[str, bool] = {}
    while True:
        try:
            return engine.downgrade(options.revision, **allowed)
        except HistoryError as refusal:
            permission = _PERMISSIONS.get(refusal.code)
            if permission is None or permission in allowed or not _is_allowed(refusal, yes=options.yes):
                raise
            allowed[permission] = True


def _is_allowed(refusal: "MigratorError", *, yes: bool) -> bool:
    """Show why the downgrade is refused, with the stored texts that it would run, and ask whether to continue."""
    print(str(refusal).rpartition("\n")[0], file=sys.stderr)
    for name, text in refusal.fields.get("texts", {}).items():
        print(f"--- revision {name}, as it was applied; its file is gone\n{text}", file=sys.stderr)
    if yes or sys.stdin is None or not sys.stdin.isatty():
        return yes
    print("Continue? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


COMMAND = Command(
    "downgrade",
    "revert one revision, or all down to REV",
    run,
    (
        revision(nargs="?", default="-1"),
        SQL,
        switch("--yes", "do not ask before a downgrade that cannot be undone"),
    ),
    writes=True,
)
