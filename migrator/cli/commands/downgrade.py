"""`downgrade`: revert revisions; asks before it does what cannot be undone."""

import argparse
from functools import partial
from typing import TYPE_CHECKING

from migrator.cli import output, permission
from migrator.cli.command import SQL, Command, revision, switch

if TYPE_CHECKING:
    from migrator.api import Migrator


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Revert the revisions and print the report, or print their SQL."""
    if options.sql:
        output.sql(engine.sql("downgrade", options.revision))
    else:
        report = permission.asked_for(partial(engine.downgrade, options.revision), options)
        output.report(report, quiet=options.quiet)
    return 0


COMMAND = Command(
    "downgrade",
    "revert one revision, or all down to REV",
    run,
    (
        revision(nargs="?", default="-1"),
        SQL,
        permission.RERUN,
        switch("--yes", "do not ask before a downgrade that cannot be undone"),
    ),
    writes=True,
)
