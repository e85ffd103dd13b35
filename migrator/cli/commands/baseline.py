"""`baseline`: start a history from a database that has none."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli import output
from migrator.cli.command import Command, argument

if TYPE_CHECKING:
    from migrator.api import Migrator


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Write the models and the first revision, stamp the database, and print what was written."""
    written = engine.baseline(options.models)
    if not options.quiet:
        output.say(
            f"Wrote the models to {written.models} and the revision to {written.revision}: {', '.join(written.tables)}."
        )
    if written.report is not None:
        output.report(written.report, quiet=options.quiet)
    return 0


COMMAND = Command(
    "baseline",
    "start a history from a database that has none: models and one revision",
    run,
    (
        argument(
            "--models",
            type=Path,
            metavar="FILE",
            default=Path("app/models/__init__.py"),
            help="where to write the models (%(default)s)",
        ),
    ),
    writes=True,
)
