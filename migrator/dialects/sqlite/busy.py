"""Other programs that hold a SQLite database: how a run waits for them, and their names as far as the operating system knows."""

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import OperationalError

from migrator.errors import error

_log = logging.getLogger("migrator")
_REPEAT = 10.0  # seconds between two log lines
_WRITER = "120"  # the byte of the -shm file that a writer locks, https://sqlite.org/walformat.html
_UNKNOWN = "a program that has the database open in a transaction; SQLite does not say which"


def is_locked(cause: Exception) -> bool:
    """Return whether SQLite gave up waiting for another connection."""
    return isinstance(cause, OperationalError) and "locked" in str(cause.orig)


def retry_while_locked(attempt: Callable[[], object], path: Path | None, seconds: float) -> None:
    """Call `attempt` until no other program blocks it, and log now and then who does.

    Raises LockError "database-locked" with the programs' names after `seconds`.
    """
    started, said = time.monotonic(), float("-inf")
    while True:
        try:
            attempt()
            return
        except OperationalError as cause:
            waited = time.monotonic() - started
            if not is_locked(cause):
                raise
            holders = lock_holders(path)
            if waited >= seconds:
                raise error(
                    "database-locked", file=path or "in memory", seconds=round(waited), blockers=holders
                ) from cause
            if waited - said >= _REPEAT:
                _log.warning("Waiting for the database: %s", "; ".join(holders))
                said = waited
        time.sleep(random.uniform(0.02, 0.1))


def lock_holders(path: Path | None) -> tuple[str, ...]:
    """Return the programs that hold a lock on the database, without this one. Reads /proc if there is one, and no database."""
    try:
        holders = sorted(_holders(path)) if path else []
    except (OSError, ValueError, IndexError):  # not Linux, or not allowed to look
        holders = []
    return tuple(f"{_program(pid)} (pid {pid})" for pid in holders) or (_UNKNOWN,)


def _holders(path: Path) -> set[int]:
    shared = path.with_name(path.name + "-shm")
    inode = str((shared if shared.exists() else path).stat().st_ino)
    own = Path("/proc/self").resolve().name
    holders = set()
    for line in Path("/proc/locks").read_text().splitlines():
        # 1: POSIX  ADVISORY  WRITE 4711 fd:01:262159 1073741824 1073742335
        fields = line.replace("->", "").split()
        kind, pid, place, first = fields[3], fields[4], fields[5], fields[6]
        # In WAL mode every connection holds a lock for reading; only a writer blocks the step.
        if (
            place.rsplit(":", 1)[-1] == inode
            and pid != own
            and (not shared.exists() or (kind, first) == ("WRITE", _WRITER))
        ):
            holders.add(int(pid))
    return {pid for pid in holders if pid > 0}


def _program(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return "a program that has just ended"
    return " ".join(Path(word).name if at == 0 else word for at, word in enumerate(words[:2]) if word)[:80]
