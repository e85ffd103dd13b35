"""Files of the tests in memory, where the machine has a file system there: half of what a run costs is the disk's.

No test here is about power cuts, which alone would tell the difference: what a killed process wrote is there on both.
"""

import os
import shutil
import tempfile
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
NEEDED = 4 * 2**30
"""Bytes that must be free: databases, servers, and the environments that the packaging tests make."""


def keep_files_in_memory() -> None:
    """Put the temporary files of this process and of those it starts into memory, unless TMPDIR says where."""
    if "TMPDIR" not in os.environ and _is_fit(IN_MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


def _is_fit(folder: Path) -> bool:
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        return False
    may_run = not os.statvfs(folder).f_flag & os.ST_NOEXEC  # environments hold programs
    return may_run and shutil.disk_usage(folder).free >= NEEDED
