"""Fresh virtual environments outside of the source tree, and the wheel that is installed into them."""

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.kit import ROOT
from tests.kit.processes import Project, Result
from tests.kit.warm.environment import clean_environment

# What a build reads; built from a copy, because setuptools leaves build/ and an .egg-info behind.
_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "migrator", "app", "migrations", "tests", "benchmarks")


@dataclass(frozen=True)
class Environment:
    """A virtual environment with packages of its own, and a home of its own."""

    path: Path
    home: Path

    def install(self, *requirements: str) -> None:
        """Install from the index that this machine's pip uses, with the pip of the Python that runs the tests."""
        _pip(self.home, "--python", str(self.program("python")), "install", *requirements)

    def program(self, name: str) -> Path:
        """Where a program of the environment is."""
        return self.path / ("Scripts" if sys.platform == "win32" else "bin") / name

    def run(self, program: str, *arguments: str, cwd: Path | None = None, url: str | None = None) -> Result:
        """Run a program of the environment, with none of this process's settings or paths."""
        given = {"PYTHONPATH": "", "PYTHONWARNINGS": "error::DeprecationWarning"}
        project = Project(cwd or self.home, self.home)
        return project.run(str(self.program(program)), *arguments, url=url, environment=given)


def environment(directory: Path, *requirements: str) -> Environment:
    """Make an environment with these packages in `directory`; the processes of one test run share it."""
    made = Environment(directory / "venv", directory / "home")
    with _once(directory) as first:
        if first:
            made.home.mkdir()
            venv.create(made.path, with_pip=False, symlinks=sys.platform != "win32")
            made.install(*requirements)
    return made


def build_wheel(directory: Path) -> Path:
    """Build the wheel from a copy of the source tree; return its path in `directory`, which the processes of one test run share."""
    source, wheels, home = directory / "source", directory / "wheels", directory / "home"
    with _once(directory) as first:
        if first:
            for name in _SOURCES:
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    source.mkdir(exist_ok=True)
                    shutil.copy2(ROOT / name, source / name)
            home.mkdir()
            _pip(home, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(source))
    (wheel,) = wheels.glob("*.whl")
    return wheel


def shared(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder for what one test run makes once, whichever of its processes needs it first."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name


@contextmanager
def _once(directory: Path) -> Iterator[bool]:
    with FileLock(f"{directory}.lock"):
        done = directory / "done"
        first = not done.exists()
        if first:
            shutil.rmtree(directory, ignore_errors=True)  # what a failed try has left
            directory.mkdir(parents=True)
        yield first
        done.touch()


def _pip(home: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, env=clean_environment(home), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done


def pinned(name: str) -> str:
    """Return the requirement that requirements/runtime.txt pins, without its hashes."""
    text = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    found = re.search(rf"(?m)^{re.escape(name)}==\S+", text)
    assert found is not None, name
    return found[0]
