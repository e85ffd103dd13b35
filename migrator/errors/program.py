"""The program that the user typed. Loads nothing else, because every command asks for it."""

import sys
from pathlib import Path


def program() -> str:
    """Return what to type in front of a command: what the user typed to get here, or for `alembic` the program that has every command."""
    name = Path(sys.argv[0]).stem
    here = name != "alembic" or Path("migrate.py").is_file()
    return "python migrate.py" if here and name != "migrator" else "migrator"
