"""`stamp`: write a revision into the version table without running anything."""

import argparse
from typing import TYPE_CHECKING

from migrator.cli import output
from migrator.cli.command import SQL, Command, revision, switch

if TYPE_CHECKING:
    from migrator.api import Migrator


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Stamp the database and print the report, or print the SQL."""
    if options.sql:
        output.sql(engine.sql("stamp", options.revision, purge=options.purge))
    else:
        stamped = engine.stamp(options.revision, purge=options.purge, verify=not options.no_verify)
        output.report(stamped, quiet=options.quiet)
        if stamped.not_compared and not options.quiet:
            output.say(
                f"The schema is that of {output.heads(stamped.after)}. Not compared: {', '.join(stamped.not_compared)}."
            )
    return 0


COMMAND = Command(
    "stamp",
    "write REV into the version table and run nothing",
    run,
    (
        revision(),
        SQL,
        switch("--purge", "empty the version table first"),
        switch("--no-verify", "do not compare the schema with that of REV"),
    ),
    writes=True,
)
