"""Migrate the database: `python migrate.py --help`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python shall say so, instead of failing on the engine's syntax
    sys.stderr.write(
        "error: migrate.py needs Python 3.11 or later; this is {}.{}. Nothing was changed.\n"
        "Run it with a newer Python, for example:\n  python3.13 migrate.py upgrade\n".format(*sys.version_info)
    )
    sys.exit(2)

from pathlib import Path

from migrator.cli.main import main

if __name__ == "__main__":
    sys.exit(main(config=Path(__file__).with_name("alembic.ini")))
