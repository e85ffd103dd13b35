"""Who runs the engine, where, and from which commit: what the log says of the origin of an entry."""

import getpass
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import alembic

from migrator import __version__


def origin(root: Path) -> dict[str, Any]:
    """Return the columns of the log that say it; asks git once."""
    return {
        "os_user": _user(),
        "host": socket.gethostname(),
        "program": f"migrator {__version__}, alembic {alembic.__version__}",
        "git_commit": _commit(root),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return str(os.getuid())


def _commit(root: Path) -> str | None:
    ask = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):  # no git here
        return None
    return found.stdout.strip() if found.returncode == 0 else None
