"""The command line on an engine that only answers: what is tested is what a user reads, not what a run does."""

import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from migrator.cli import main as cli

CONFIG = Path(__file__).parents[2] / "alembic.ini"


class Said(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class StandIn:
    """An engine whose methods answer what was given, or raise it. `calls` is what the command asked of it."""

    url = "sqlite+pysqlite:///app.db"

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def method(*arguments: Any, **options: Any) -> Any:
            self.calls.append((name, arguments, options))
            answer = self._answers[name]
            answer = answer.pop(0) if isinstance(answer, list) else answer
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return method


class Terminal:
    """A terminal in which commands are typed, on an engine that stands in."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def type(self, *arguments: str, engine: StandIn | None = None, config: Path = CONFIG, **answers: Any) -> Said:
        """Run a command; the answers are those of the engine's methods."""
        made, root = engine or StandIn(**answers), logging.getLogger()
        self._monkeypatch.setattr(cli, "FastPath", lambda *_, **__: made)
        # With a handler of pytest's there, the command line would set up none of its own.
        handlers, root.handlers[:] = list(root.handlers), []
        self._capsys.readouterr()
        try:
            code = cli.main(arguments, config=config)
        finally:
            root.handlers[:] = handlers
        return Said(code, *self._capsys.readouterr())


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal; the levels and the warnings that the command line sets up are put back."""
    loggers, show = [logging.getLogger(name) for name in ("migrator", "sqlalchemy.engine")], warnings.showwarning
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        yield Terminal(capsys, monkeypatch)
    warnings.showwarning = show
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
