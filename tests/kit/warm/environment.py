"""What a child process of the tests gets of the environment that the run was started in."""

import os
from pathlib import Path


def callers_settings() -> list[str]:
    """The variables of this process that would change what the programs under test do or print."""
    known = {"DATABASE_URL", "MIGRATION_DATABASE_URL", "ALEMBIC_CONFIG", "NO_COLOR", "COLUMNS"}
    return [name for name in os.environ if name in known or name.startswith("MIGRATOR_")]


def clean_environment(home: Path) -> dict[str, str]:
    """This process's environment without the caller's settings, and with a home of its own."""
    removed = callers_settings()
    inherited = {name: value for name, value in os.environ.items() if name not in removed}
    # Bytecode knows its source by the second: of two edits within one, the first would go on running.
    return inherited | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
