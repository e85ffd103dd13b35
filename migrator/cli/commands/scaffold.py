"""`scaffold`: write a new project."""

import argparse
import shlex
from pathlib import Path

from migrator.cli.command import Command, argument


def run(_engine: None, options: argparse.Namespace) -> int:
    """Write the project's files and print how to start."""
    from migrator.scaffold.create import create

    written = create(options.directory)
    if not options.quiet:
        print(f"Created {len(written)} files in {options.directory}. Next:")
        print(f"  cd {shlex.quote(str(options.directory))}\n  make upgrade && make test")
    return 0


COMMAND = Command(
    "scaffold",
    "write a new project into an empty folder",
    run,
    (argument("directory", type=Path, metavar="DIR", help="a folder that is empty or does not exist"),),
    needs_project=False,
    writes=True,
)
