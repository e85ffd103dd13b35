"""What every test may ask for: databases, empty or full, and a copy of the project."""

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.kit.fork_server import Forks, forks as started_forks
from tests.kit.postgres import Server, server
from tests.kit.processes import Project
from tests.kit.projects import compile_sources, copy_scaffold
from tests.kit.warm.environment import callers_settings
from tests.kit.warm.memory import keep_files_in_memory
from tests.scaffold.templates import Files, Templates

DIALECTS = ("sqlite", "postgresql")


class PopulatedAt(Protocol):
    """Makes a new database that is full of rows: every kind of row, and with `full` as many as the main job has."""

    def __call__(self, revision: str, *, full: bool = False) -> str:
        """Return its URL."""


def pytest_configure(config: pytest.Config) -> None:
    """Prepare once, in the process that starts the others, what all processes of the tests load."""
    keep_files_in_memory()
    if not hasattr(config, "workerinput"):
        compile_sources()


@pytest.fixture(autouse=True)
def _settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the environment that the run was started in from reaching a test."""
    for name in callers_settings():
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Put logging and warnings back: the command line and the env.py of Alembic's templates, run in this process, set them up anew."""
    loggers = [
        logging.root,
        *map(logging.getLogger, ("alembic", "migrator", "sqlalchemy", "sqlalchemy.engine")),  # there may be none yet
        *(one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)),
    ]
    before = [(one, one.level, one.handlers[:], one.propagate, one.disabled) for one in loggers]
    show = warnings.showwarning
    yield
    warnings.showwarning = show
    for one, level, handlers, propagate, disabled in before:
        one.setLevel(level)
        one.handlers[:], one.propagate, one.disabled = handlers, propagate, disabled


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The one PostgreSQL of this run, started by the first test that needs it."""
    with server() as started:
        yield started


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """The one parent, with everything imported, of the processes that race and are killed."""
    with started_forks(tmp_path_factory.mktemp("forks")) as started:
        yield started


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """A fresh, empty PostgreSQL database, dropped afterwards whoever is still connected."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, empty database of each dialect; PostgreSQL is not started for a run on SQLite alone."""
    url = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    assert isinstance(url, str)
    return url


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """The populated SQLite databases of this run, to be copied."""
    return Templates(Files(tmp_path_factory.mktemp("templates")))


@pytest.fixture(scope="session")
def postgresql_templates(postgres_server: Server) -> Templates:
    """The populated PostgreSQL databases of this run, to be copied."""
    return Templates(postgres_server)


@pytest.fixture(params=DIALECTS)
def populated_at(request: pytest.FixtureRequest) -> Iterator[PopulatedAt]:
    """`populated_at("004")`: the URL of a new database at that revision and full of rows, of each dialect."""
    templates = request.getfixturevalue(f"{request.param}_templates")
    assert isinstance(templates, Templates)
    copies: list[str] = []

    def copy(revision: str, *, full: bool = False) -> str:
        copies.append(templates.copy(revision, full=full))
        return copies[-1]

    yield copy
    for url in copies:
        templates.drop(url)


@pytest.fixture
def populated_url(populated_at: PopulatedAt) -> str:
    """A database of each dialect at the newest revision, with rows of every kind in every table."""
    return populated_at("head")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of the scaffold to run programs in and to change; nothing else is in its folder or its home."""
    home = tmp_path / "home"
    home.mkdir()
    return Project(copy_scaffold(tmp_path / "project"), home)
