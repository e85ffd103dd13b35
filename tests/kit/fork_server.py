"""Many real processes for the price of one start: a parent that has imported everything forks each of them.

Started by `forks()`. What runs in a child is the command line itself, `migrator.cli.main` or Alembic's own; the processes of one call
wait at a gate until all of them exist, and then start at the same moment.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.kit import ROOT
from tests.kit.processes import Result, leashed
from tests.kit.warm.environment import clean_environment

_EVENTS = ("before_cursor_execute", "commit")
_IMPORTED = (
    "alembic.command",
    "alembic.config",
    "app.models",
    "filelock",
    "migrator.api",
    "migrator.cli.main",
    "migrator.runner.environment",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "psycopg2",
)
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Job:
    """What one process does: `arguments` on the project of `config`; `program` is migrate.py, or alembic for the stock one."""

    arguments: Sequence[str]
    config: str | Path
    url: str
    program: str = "migrate.py"
    environment: Mapping[str, str] = field(default_factory=dict)
    beat: str | None = None
    """A FIFO that gets one byte before each statement and each commit."""


@dataclass
class Process:
    """A process at work. `stderr` may be read before it ends."""

    pid: int
    directory: Path
    ask: Callable[..., Any]

    @property
    def stderr(self) -> str:
        return (self.directory / "stderr").read_text(encoding="utf-8")

    def kill(self) -> None:
        """Send SIGKILL; the process may have ended already."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float = 60) -> Result:
        """Return how it ended, a signal as a negative code; kills it and raises TimeoutError when it does not in time."""
        code = self.ask({"wait": self.pid}, timeout=timeout, overdue=self.kill)
        return Result(code, (self.directory / "stdout").read_text(encoding="utf-8"), self.stderr)

    def says(self, text: str, *, times: int = 1, timeout: float = 60) -> str:
        """Wait until `text` stands in its stderr so often, and return all of it."""
        until(lambda: self.stderr.count(text) >= times, timeout=timeout)
        return self.stderr


class Forks:
    """The parent of the processes, at the other end of a pipe."""

    def __init__(self, server: "subprocess.Popen[str]", directory: Path) -> None:
        self._server = server
        self._directory = directory
        self._count = 0

    def start(self, *jobs: Job) -> list[Process]:
        """Start all jobs at the same moment."""
        requests = []
        for job in jobs:
            self._count += 1
            place = self._directory / str(self._count)
            place.mkdir()
            (place / "stderr").touch()
            requests.append({**asdict(job), "config": str(job.config), "directory": str(place)})
        pids = self._ask({"jobs": requests}, timeout=60)
        return [Process(pid, Path(made["directory"]), self._ask) for pid, made in zip(pids, requests, strict=True)]

    def run(self, *jobs: Job, timeout: float = 120) -> list[Result]:
        """Start all jobs at the same moment and wait for them."""
        return [process.wait(timeout) for process in self.start(*jobs)]

    def _ask(self, request: object, *, timeout: float, overdue: Callable[[], None] | None = None) -> Any:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        late = not select.select([self._server.stdout], [], [], timeout)[0]
        if late and overdue is not None:
            overdue()
        answer = json.loads(self._server.stdout.readline())
        if late:
            raise TimeoutError(f"{request} took more than {timeout:.0f} s")
        return answer


@contextmanager
def forks(directory: Path) -> Iterator[Forks]:
    """The parent, for as long as the block runs; it and its children die with this process. Output is kept in `directory`."""
    home = directory / "home"
    home.mkdir()
    server = subprocess.Popen(
        leashed([sys.executable, "-m", "tests.kit.fork_server"]),
        cwd=ROOT,
        env=clean_environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    with server:
        yield Forks(server, directory)
        assert server.stdin is not None
        server.stdin.close()


def until(true: Callable[[], object], *, timeout: float = 60) -> None:
    """Wait for what announces itself to nobody: a line in a file, a row in a table. TimeoutError when it does not come."""
    deadline = time.monotonic() + timeout
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not seen within {timeout:.0f} s")
        time.sleep(0.005)


def _serve() -> None:
    for name in _IMPORTED:
        import_module(name)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer: object = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            gate, opener = os.pipe()
            answer = [_fork(job, gate, opener) for job in request["jobs"]]
            os.close(gate)
            os.close(opener)
        print(json.dumps(answer), file=answers, flush=True)


def _fork(job: Mapping[str, Any], gate: int, opener: int) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            return 0
        os.close(opener)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what runs in its background ignore it
        _redirect(Path(job["directory"]))
        os.environ.update({"DATABASE_URL": job["url"], **job["environment"]})
        os.chdir(Path(job["config"]).parent)
        if job["beat"] is not None:
            _beat(job["beat"])
        os.read(gate, 1)  # returns at the end of the file: when the parent has closed it
        code = _main(job)
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(directory: Path) -> None:
    for number, name in ((0, os.devnull), (1, directory / "stdout"), (2, directory / "stderr")):
        opened = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)


def _beat(fifo: str) -> None:
    from sqlalchemy import Engine, event

    end = os.open(fifo, os.O_WRONLY)
    for name in _EVENTS:
        event.listen(Engine, name, lambda *_, **__: os.write(end, b".") and None)


def _main(job: Mapping[str, Any]) -> int:
    config = Path(job["config"])
    sys.argv = [job["program"], *job["arguments"]]
    if job["program"] == "alembic":
        from alembic.config import main as alembic

        alembic(["--config", str(config), *job["arguments"]])
        return 0
    from migrator.cli.main import main

    return main(job["arguments"], config=config)


if __name__ == "__main__":
    _serve()
