"""The program that the user typed. Loads nothing else, because every command asks for it."""

import sys
from pathlib import Path


def program() -> str:
    """Return what to type in front of a command: what the user typed to get here."""
    name = Path(sys.argv[0]).stem
    return name if name in ("alembic", "migrator") else "python migrate.py"
