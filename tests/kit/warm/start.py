"""Programs in Python without the start of an interpreter: a parent that has imported the libraries forks a child for each.

Importing Alembic, SQLAlchemy and the drivers takes most of the time of a short command. Everything else is the child's own: its
environment, directory, arguments and streams, and what it loads of the engine and the project.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from threading import Lock
from typing import Any

from tests.kit.warm.environment import clean_environment

_INTERPRETER = Path(__file__).with_name("interpreter.py")
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_")
_ENVIRONMENT = clean_environment(Path(os.devnull))


def can_run(environment: Mapping[str, str]) -> bool:
    """Whether a new interpreter would be the same: not when a variable is given that it reads only when it starts."""
    return hasattr(os, "fork") and _read_at_start(environment) == _read_at_start(_ENVIRONMENT)


def run(
    script: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path,
    answer: str,
    timeout: float,
) -> tuple[int, str, str]:
    """Run `python script arguments`, from any thread; return its exit code and what it printed on its two streams.

    `answer`, a few lines, is its standard input. After `timeout` seconds it is killed and `subprocess.TimeoutExpired` raised.
    """
    parent, deadline = _parent(), time.monotonic() + timeout
    program = {"script": script, "arguments": arguments, "environment": dict(environment), "directory": str(directory)}
    (stdin, write), (read, stdout), (read_error, stderr) = os.pipe(), os.pipe(), os.pipe()
    pid = parent.ask(program, stdin, stdout, stderr)
    try:
        with suppress(BrokenPipeError), os.fdopen(write, "w", encoding="utf-8") as answers:
            answers.write(answer)
        printed = _read(read, read_error, deadline=deadline)
        late = len(printed) < 2
    except BaseException:
        late = True
        raise
    finally:
        if late:
            os.kill(pid, signal.SIGKILL)  # the number is still its own: nobody has waited for it
        code = parent.ask({"wait": pid})
    if late:
        raise subprocess.TimeoutExpired([script, *arguments], timeout)
    return code, printed[read], printed[read_error]


def _read(*streams: int, deadline: float) -> dict[int, str]:
    """What comes from each stream that ends before the deadline; all are closed."""
    whole: dict[int, str] = {}
    with DefaultSelector() as open_ones:
        for stream in streams:
            open_ones.register(stream, EVENT_READ, [])
        while open_ones.get_map() and (ready := open_ones.select(max(0, deadline - time.monotonic()))):
            for key, _ in ready:
                if part := os.read(key.fd, 65536):
                    key.data.append(part)
                else:
                    open_ones.unregister(key.fd)
                    whole[key.fd] = b"".join(key.data).decode().replace("\r\n", "\n").replace("\r", "\n")
    for stream in streams:
        os.close(stream)
    return whole


class _Parent:
    """The interpreter that forks, at the other end of a socket. It ends with this process, and its children with it."""

    def __init__(self) -> None:
        self._socket, its = socket.socketpair()
        self._lock = Lock()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, str(_INTERPRETER)],
                env=_ENVIRONMENT,
                stdin=its,
                # Pipes, as its children have: Python looks at them once, when it starts. Nothing is written to these.
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        atexit.register(self._end)

    def ask(self, request: Mapping[str, Any], *streams: int) -> int:
        """The number that answers a request; the streams go over to the other side."""
        text = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._socket, [len(text).to_bytes(4, "big")], streams)
            self._socket.sendall(text)
            answer = self._socket.recv(8, socket.MSG_WAITALL)
        for stream in streams:
            os.close(stream)
        if not answer:
            raise RuntimeError(self._process.communicate()[1].decode())
        return int.from_bytes(answer, "big", signed=True)

    def _end(self) -> None:
        self._socket.close()
        self._process.communicate()


_parent = cache(_Parent)


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}
