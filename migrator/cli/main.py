"""Run one command: parse the arguments, make the engine, let the command do its work, and turn what happened into an exit code."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from migrator import versions
from migrator.cli import commands, output
from migrator.cli.arguments import parse
from migrator.cli.command import Command
from migrator.cli.console import interrupted, show, unexpected
from migrator.cli.fast_path import FastPath
from migrator.settings import NAMES

if TYPE_CHECKING:
    from migrator.api import Migrator

# The packages that the engine needs, by the names under which they are imported.
_NEEDED = {"alembic": "alembic", "sqlalchemy": "sqlalchemy", "filelock": "filelock", "dotenv": "python-dotenv"}
_PINNED = Path("requirements/runtime.txt")


def console() -> int:
    """Run the command of the console script `migrator`, on the alembic.ini of the current folder."""
    return main(config=Path("alembic.ini"))


def main(arguments: Sequence[str] | None = None, *, config: Path) -> int:
    """Run one command and return its exit code: 0 done, 1 the answer is no, 2 an error. `config` is the default alembic.ini."""
    options = parse(sys.argv[1:] if arguments is None else arguments, config)
    command = commands.load(options.command)
    assert command is not None  # `parse` refuses the others
    show(verbose=options.verbose, quiet=options.quiet)
    try:
        code = command.run(_engine(command, options), options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as interrupt:
        output.say(interrupted(interrupt) if command.needs_project else "Interrupted.", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of standard output, head for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as problem:
        return _fail(problem, options)


def _engine(command: Command, options: argparse.Namespace) -> "Migrator | None":
    """Return the engine for a command, or what answers for it when nothing is pending."""
    if not command.needs_project:
        return None
    # An option that has the name of a setting is that setting.
    settings = {name: getattr(options, name) for name in ("database_url", *NAMES, "own") if hasattr(options, name)}
    if "own" in settings and "owned_tables" not in settings:
        text = "--own is now called --owned-table; the old name works in this release only"
        warnings.warn(text, FutureWarning, stacklevel=3)
        settings["owned_tables"] = settings.pop("own")
    if options.verbose or command.is_alembics:
        versions.check()
        from migrator.api import Migrator

        return Migrator(options.config, **settings)
    return cast("Migrator", FastPath(options.config, **settings))


def _fail(problem: Exception, options: argparse.Namespace) -> int:
    """Print what went wrong, and return the exit code."""
    if isinstance(problem, ModuleNotFoundError) and problem.name in _NEEDED:
        print(
            f"error: The package {_NEEDED[problem.name]} is not installed.\n{_how_to_install(options)}", file=sys.stderr
        )
        return 2
    from migrator.errors.tree import MigratorError

    if isinstance(problem, MigratorError):
        output.say(f"error: {problem}", file=sys.stderr)
        return problem.exit_code
    output.say(unexpected(problem, options.config, options.database_url), file=sys.stderr)
    return 2


def _how_to_install(options: argparse.Namespace) -> str:
    pinned: Path = options.config.parent / _PINNED
    what = f"--require-hashes -r {_PINNED}" if pinned.is_file() else " ".join(_NEEDED.values())
    return f"Nothing was changed.\nInstall what the engine needs:\n  python -m pip install {what}"
