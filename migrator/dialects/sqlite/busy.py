"""Other programs that hold a SQLite database: waited for, then named as far as the operating system knows them."""

import random
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import OperationalError

from migrator.dialects.dialect import log
from migrator.errors.tree import LockError

_SAY_AGAIN = 10.0  # seconds between two lines
_WRITER = "120"  # the byte of the -shm file that a writer locks, https://sqlite.org/walformat.html
_UNKNOWN = "a program that has the database open in a transaction; SQLite does not say which"


def is_locked(error: Exception) -> bool:
    """Return whether SQLite gave up waiting for another connection."""
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


def patiently(attempt: Callable[[], object], path: Path | None, seconds: float) -> None:
    """Call `attempt` until no other program is in its way; LockError with their names after `seconds`."""
    started, said = time.monotonic(), float("-inf")
    while True:
        try:
            attempt()
            return
        except OperationalError as error:
            waited = time.monotonic() - started
            if not is_locked(error):
                raise
            who = "; ".join(names(path))
            if waited >= seconds:
                raise LockError(
                    "database-locked", file=path or "in memory", seconds=round(waited), blockers=who
                ) from error
            if waited - said >= _SAY_AGAIN:
                log.warning("Waiting for the database: %s", who)
                said = waited
        time.sleep(random.uniform(0.02, 0.1))


def names(path: Path | None) -> tuple[str, ...]:
    """Return the programs that hold a lock on the database, this one left out; reads /proc where there is one."""
    try:
        found = sorted(_holders(path)) if path else []
    except (OSError, ValueError, IndexError):  # not Linux, or not allowed to look
        found = []
    return tuple(f"{_program(pid)} (pid {pid})" for pid in found) or (_UNKNOWN,)


def _holders(path: Path) -> set[int]:
    shared = path.with_name(path.name + "-shm")
    inode = str((shared if shared.exists() else path).stat().st_ino)
    own = Path("/proc/self").resolve().name
    holders = set()
    for line in Path("/proc/locks").read_text().splitlines():
        # 1: POSIX  ADVISORY  WRITE 4711 fd:01:262159 1073741824 1073742335
        fields = line.replace("->", "").split()
        kind, pid, place, first = fields[3], fields[4], fields[5], fields[6]
        # Every connection in WAL mode holds a lock for reading; only a writer is in the way.
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
