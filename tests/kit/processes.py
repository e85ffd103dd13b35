"""Child processes of the tests: every one is bounded in time, and none outlives the run that started it."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

from tests.kit.warm import start as warm_start
from tests.kit.warm.environment import clean_environment

# 1 is PR_SET_PDEATHSIG. The parent may have died between fork and prctl, hence the comparison after it.
_LEASH = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGINT)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that asked for this one is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Result:
    """How a child process ended: its exit code, and everything it printed."""

    code: int
    stdout: str
    stderr: str


class Options(TypedDict, total=False):
    """What may be said about a run; see `Project.run`."""

    url: str | None
    environment: Mapping[str, str]
    cwd: Path
    answer: str
    timeout: float


@dataclass(frozen=True)
class Project:
    """A copy of the scaffold that a test may change, and the two programs that work on it."""

    path: Path
    home: Path

    def migrate(self, *arguments: str, **options: Unpack[Options]) -> Result:
        """Run the project's `migrate.py`; the options are those of `run`."""
        return self._python(str(self.path / "migrate.py"), *arguments, **options)

    def alembic(self, *arguments: str, **options: Unpack[Options]) -> Result:
        """Run the `alembic` command, in the project unless `cwd` says otherwise; the options are those of `run`."""
        return self._python(str(Path(sysconfig.get_path("scripts"), "alembic")), *arguments, **options)

    def run(
        self,
        *command: str,
        url: str | None = None,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        answer: str = "",
        timeout: float = 120,
    ) -> Result:
        """Run any command to its end, with an empty home and none of the caller's settings.

        `url` is handed over as `DATABASE_URL`, `answer` on standard input; `cwd` is the project unless said otherwise.
        After `timeout` seconds the child is killed and `subprocess.TimeoutExpired` raised.
        """
        done = subprocess.run(
            command,
            cwd=cwd or self.path,
            env=self._variables(url, environment),
            input=answer,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def _python(self, script: str, *arguments: str, **options: Unpack[Options]) -> Result:
        """As `run`, without the start of an interpreter where none would notice: that is most of the time of a command."""
        variables = self._variables(options.get("url"), options.get("environment"))
        if not warm_start.can_run(variables):
            return self.run(sys.executable, script, *arguments, **options)
        done = warm_start.run(
            script,
            arguments,
            environment=variables,
            directory=options.get("cwd", self.path),
            answer=options.get("answer", ""),
            timeout=options.get("timeout", 120),
        )
        return Result(*done)

    def _variables(self, url: str | None, given: Mapping[str, str] | None) -> dict[str, str]:
        variables = clean_environment(self.home)
        if url is not None:
            variables["DATABASE_URL"] = url
        return variables | dict(given or {})


def leashed(command: Sequence[str]) -> list[str]:
    """The command, so changed that Linux sends it SIGINT when the thread that starts it ends, kill -9 included.

    The leash is put on by a small interpreter that then becomes the command: code between fork and exec
    (`preexec_fn`) is unsafe with threads. Whatever changes the user has to come before it, because the kernel takes the
    leash off when credentials change (prctl(2), PR_SET_PDEATHSIG). On other systems the command stays as it is.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *command]
