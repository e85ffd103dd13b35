"""What a command is: its name, its line in --help, its arguments, and the function that runs it."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Argument(NamedTuple):
    """One argument, as argparse's `add_argument` takes it."""

    names: tuple[str, ...]
    details: dict[str, Any]


@dataclass(frozen=True)
class Command:
    """One command. `run` gets the engine and the options, calls one method, prints the result, and returns the exit code."""

    name: str
    help: str
    run: Callable[[Any, argparse.Namespace], int]
    arguments: tuple[Argument, ...] = ()
    needs_project: bool = True
    """Whether it works on a project; one that does not needs no alembic.ini, and its `run` gets None for the engine."""
    writes: bool = False
    """Whether it is there for what it does. What it prints is then a report; of all other commands it is the answer."""
    is_alembics: bool = False
    """Whether Alembic reads the arguments that are not listed here; they are in `options.arguments`."""

    def only_answers(self, options: argparse.Namespace) -> bool:
        """Return whether the command is there only for what it prints, if it has these options."""
        return not self.writes or any(getattr(options, name, False) for name in ("sql", "dry_run"))


def argument(*names: str, **details: Any) -> Argument:
    """Return an argument of any kind."""
    return Argument(names, details)


def switch(name: str, text: str) -> Argument:
    """Return an option that takes no value."""
    return Argument((name,), {"action": "store_true", "help": text})


def revision(**details: Any) -> Argument:
    """Return the argument that names a revision."""
    default = " (%(default)s)" if "default" in details else ""
    text = f"an id, the beginning of one, head, base, +1 or -2{default}"
    return Argument(("revision",), {"metavar": "REV", "help": text, **details})


SQL = switch("--sql", "print the SQL and open no database; REV may be a range a:b")
JSON = switch("--json", "print one JSON document")
