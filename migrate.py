"""Migrate the database: `python migrate.py --help`."""

import sys
from pathlib import Path

from migrator.cli.main import main

if __name__ == "__main__":
    sys.exit(main(config=Path(__file__).with_name("alembic.ini")))
