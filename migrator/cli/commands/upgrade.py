"""`upgrade`: apply revisions."""

import argparse
from functools import partial
from typing import TYPE_CHECKING

from migrator.cli import output, permission
from migrator.cli.command import SQL, Command, revision

if TYPE_CHECKING:
    from migrator.api import Migrator


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Apply the revisions and print the report, or print their SQL."""
    if options.sql:
        output.sql(engine.sql("upgrade", options.revision))
    else:
        report = permission.asked_for(partial(engine.upgrade, options.revision), options)
        output.report(report, quiet=options.quiet)
    return 0


COMMAND = Command(
    "upgrade",
    "apply the pending revisions, up to head or to REV",
    run,
    (revision(nargs="?", default="head"), SQL, permission.RERUN),
    writes=True,
)
