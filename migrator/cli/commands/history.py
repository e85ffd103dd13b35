"""`history`: the revision files."""

import argparse
from typing import TYPE_CHECKING

from migrator.cli import output
from migrator.cli.command import JSON, Command

if TYPE_CHECKING:
    from migrator.api import Migrator


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Print the revisions from base to head."""
    revisions = engine.history()
    if options.json:
        output.document(
            [{"revision": each.revision, "description": each.description, "path": str(each.path)} for each in revisions]
        )
    else:
        output.table(("revision", "description"), [(each.revision, each.description) for each in revisions])
    return 0


COMMAND = Command("history", "list the revision files, first to last", run, (JSON,))
