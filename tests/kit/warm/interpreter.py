"""A Python that has imported the libraries, and forks one child for each program that it is asked to run; see `tests.kit.warm.start`.

Only what is installed is imported here, and nothing of this repository: a child loads the engine and the project that it is told to.
The child is as a new interpreter would be, and ends as one: what it does not catch goes up to the top of this file.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

_IMPORTED = (
    "alembic.autogenerate",
    "alembic.command",
    "alembic.config",
    "alembic.context",
    "alembic.ddl.postgresql",
    "alembic.ddl.sqlite",
    "alembic.op",
    "alembic.runtime.environment",
    "alembic.script",
    "argparse",
    "ast",
    "configparser",
    "difflib",
    "dotenv",
    "filelock",
    "getpass",
    "graphlib",
    "importlib.metadata",
    "inflect",  # of sqlacodegen, which is not: a test takes it away
    "inspect",
    "logging.config",
    "mako.template",
    "psycopg2",
    "random",
    "shlex",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sqlalchemy.orm",
    "sqlite3",
    "subprocess",
    "tempfile",
    "urllib.parse",
    "zlib",
)
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def _serve() -> dict[str, Any] | None:
    """Fork and wait as the other end of standard input asks; return the program in its child, and None when there is no other end."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    parent = os.getpid()
    asked = socket.socket(fileno=sys.stdin.fileno())
    try:
        while True:
            length, streams, *_ = socket.recv_fds(asked, 4, 3)
            if not length:
                return None
            request: dict[str, Any] = json.loads(asked.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
            if "wait" in request:
                answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
            elif not (answer := os.fork()):
                break
            for stream in streams:
                os.close(stream)
            asked.sendall(answer.to_bytes(8, "big", signed=True))
    finally:
        asked.detach()  # the number belongs to sys.stdin
    if libc:
        libc.prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        return None
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    return request


def _become(script: str, arguments: list[str], environment: dict[str, str], directory: str) -> None:
    """Make this process what `python script arguments` starts with."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    time.tzset()
    sys.path.insert(0, str(Path(script).parent))
    sys.argv = [script, *arguments]
    sys.orig_argv[:] = [sys.executable, *sys.argv]
    sys.excepthook = _without_this_file
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__file__, main.__builtins__ = script, __builtins__  # type: ignore[attr-defined]
    main.__loader__ = SourceFileLoader("__main__", script)


def _without_this_file(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    while trace and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


def _leave_the_libraries() -> None:
    """Let the end of a child take apart what it loaded itself: the rest takes most of the time, and the parent has it anyway."""
    for module in _kept:
        sys.modules.pop(module, None)


if __name__ == "__main__":
    del sys.path[0]  # this folder
    atexit.register(_leave_the_libraries)  # the first one registered is the last one called
    for name in _IMPORTED:
        importlib.import_module(name)
    _kept = {name: module for name, module in sys.modules.items() if name not in ("__main__", "builtins", "sys")}
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_kept))
    gc.collect()
    gc.freeze()  # or the first collection in each child would copy every page
    if (program := _serve()) is not None:
        _become(**program)
        # No name may hold the program's variables, or they would outlive it.
        exec(
            compile(Path(sys.argv[0]).read_bytes(), sys.argv[0], "exec", dont_inherit=True),
            vars(sys.modules["__main__"]),
        )
