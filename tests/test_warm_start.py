"""A program that is forked from the warm interpreter finds what it would find in a new one, and ends in the same way."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kit.warm import start as warm_start
from tests.kit.warm.environment import clean_environment

LOOK = """
import atexit, gc, json, logging, os, signal, sys, threading, warnings
print(json.dumps({
    "arguments": [sys.argv, sys.orig_argv, sys.path, __name__, __file__],
    "environment": dict(os.environ),
    "directory": os.getcwd(),
    "streams": [(s.name, s.mode, s.encoding, s.errors, s.isatty(), s.line_buffering, s.seekable(), s.fileno())
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "asked": sys.stdin.read(),
    "files": sorted(os.listdir("/dev/fd"))[:4],
    "filters": [str(one) for one in warnings.filters],
    "logging": [logging.root.level, logging.root.handlers, logging.getLogger("alembic").level],
    "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
    "threads": threading.active_count(),
    "collection": [gc.isenabled(), gc.get_threshold()],
    "ours": [name for name in sys.modules if name.partition(".")[0] in ("migrator", "app", "tests", "sqlacodegen")],
    "flags": str(sys.flags),
}))
atexit.register(print, "the end")
"""
ENDS = {
    "well": "print('é')",
    "with a code": "import sys; sys.exit(3)",
    "with a text": "import sys; sys.exit('no')",
    "with an error": "def fail():\n    raise ValueError('é')\n\nfail()",
    "with a cause": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError from error",
    "with no syntax": "def",
    "interrupted": "raise KeyboardInterrupt",
    "by a signal": "import os; os.kill(os.getpid(), 9)",
    "at once": "import os; print('lost'); os._exit(4)",
    "with a thread": "import threading, time\nthreading.Timer(0.05, print, ['late']).start()",
    "in a destructor": "class Left:\n    def __del__(self): print('gone')\n\nleft = Left()",
    "unable to print": "import os; print('lost'); os.close(1)",
}


def both(script: Path, *arguments: str, answer: str = "") -> list[tuple[int, str, str]]:
    environment, folder = clean_environment(script.parent) | {"GIVEN": "é"}, script.parent
    forked = warm_start.run(
        str(script), arguments, environment=environment, directory=folder, answer=answer, timeout=60
    )
    command = [sys.executable, str(script), *arguments]
    streams = {"input": answer, "capture_output": True, "encoding": "utf-8"}
    done = subprocess.run(command, env=environment, cwd=folder, timeout=60, **streams)
    return [forked, (done.returncode, done.stdout, done.stderr)]


def test_it_finds_the_same(tmp_path: Path) -> None:
    script = tmp_path / "look.py"
    script.write_text(LOOK)
    forked, started = both(script, "one", "--two", answer="y\nà\n")
    assert forked == started


@pytest.mark.parametrize("text", [pytest.param(text, id=end) for end, text in ENDS.items()])
def test_it_ends_in_the_same_way(text: str, tmp_path: Path) -> None:
    script = tmp_path / "end.py"
    script.write_text(text)
    forked, started = both(script)
    assert forked == started


def test_what_never_ends_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "hang.py"
    script.write_text(f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    with pytest.raises(subprocess.TimeoutExpired):
        warm_start.run(str(script), [], environment=os.environ, directory=tmp_path, answer="", timeout=2)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_several_run_at_once(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    (tmp_path / "ask.py").write_text(f"print(open({str(gate)!r}).read())")
    (tmp_path / "say.py").write_text(f"open({str(gate)!r}, 'w').write('said')")

    def run(name: str) -> tuple[int, str, str]:
        return warm_start.run(
            str(tmp_path / name), [], environment=os.environ, directory=tmp_path, answer="", timeout=60
        )

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, ("ask.py", "say.py"))) == [(0, "said\n", ""), (0, "", "")]


@pytest.mark.parametrize("name", ["PYTHONWARNINGS", "PYTHONPATH", "LC_ALL", "LANG"])
def test_a_variable_that_python_reads_when_it_starts_needs_a_new_one(name: str, tmp_path: Path) -> None:
    environment = clean_environment(tmp_path)
    assert warm_start.can_run(environment | {"DATABASE_URL": "sqlite://"})
    assert not warm_start.can_run(environment | {name: "C"})
