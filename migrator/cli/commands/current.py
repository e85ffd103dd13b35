"""`current`: the revision that the database is at."""

import argparse
from typing import TYPE_CHECKING

from migrator.cli import output
from migrator.cli.command import JSON, Command

if TYPE_CHECKING:
    from migrator.api import Migrator


def run(engine: "Migrator", options: argparse.Namespace) -> int:
    """Print the heads of the version table."""
    heads = engine.current()
    if options.json:
        output.document({"url": engine.url, "at": list(heads)})
    else:
        print(output.heads(heads))
    return 0


COMMAND = Command("current", "show the revision that the database is at", run, (JSON,))
