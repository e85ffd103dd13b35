"""SQLite's rollback journal, without which nothing is ever rolled back. https://www.sqlite.org/pragma.html#pragma_journal_mode"""

import logging
from pathlib import Path

from sqlalchemy.engine import Connection

from migrator.errors import error

_log = logging.getLogger("migrator")


def require(connection: Connection, file: Path | None) -> None:
    """Raise DatabaseError "journal-off" if a step could not be rolled back; log a warning if a kill could damage the file.

    Reads only, outside of a transaction.
    """
    mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar()).lower()
    if mode == "off":
        raise error("journal-off", file=file or "in memory")
    if mode == "memory" and file is not None:
        _log.warning("journal_mode is MEMORY: a run that is killed during a commit can damage %s.", file)
