"""The command `scaffold DIR`: it needs no alembic.ini, because it writes one."""

import argparse
import shlex
from pathlib import Path

from migrator.scaffold.create import create


def run(options: argparse.Namespace) -> int:
    """Make the project and say what to type next; the exit code is 0, or `create()` raises."""
    folder: Path = options.folder
    files = create(folder)
    if not options.quiet:
        print(f"Created a project of {len(files)} files in {folder}. Try it:")
        print(f"  cd {shlex.quote(str(folder))}\n  make upgrade && make test")
    return 0
