"""Run one command: parse the arguments, make the engine, let the command do its work, and turn what happened into an exit code."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from migrator import versions
from migrator.cli import commands, output
from migrator.cli.arguments import parse
from migrator.cli.command import Command
from migrator.cli.console import ended, interrupted, show, unexpected
from migrator.cli.fast_path import FastPath
from migrator.cli.streams import safe
from migrator.errors import error
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
    with safe() as out:
        options = parse(sys.argv[1:] if arguments is None else arguments, config)
        command = commands.load(options.command)
        assert command is not None  # `parse` refuses the others
        show(verbose=options.verbose, quiet=options.quiet)
        code = _run(command, options)
        out.flush()
        return code if out.lost is None else _without_report(code, out.lost, reads=command.only_answers(options))


def _run(command: Command, options: argparse.Namespace) -> int:
    """Run the command and return its exit code, whatever it raises."""
    try:
        return command.run(_engine(command, options), options)
    except KeyboardInterrupt as interrupt:
        output.say(interrupted(interrupt) if command.needs_project else "Interrupted.", lines=True, file=sys.stderr)
        return 2
    except Exception as problem:
        return _fail(problem, options)
    except BaseException as ending:  # asyncio.CancelledError from a revision; sys.exit() from env.py
        output.say(ended(ending), lines=True, file=sys.stderr)
        return 2


def _without_report(code: int, lost: Exception, *, reads: bool) -> int:
    """Return the exit code of a command whose output was lost: a run that went well went well, an answer that nobody got is none."""
    if (
        isinstance(lost, BrokenPipeError) or code == 2
    ):  # the reader, head for example, has seen enough; or an error was told
        return code
    if not reads:
        print(f"warning: The report could not be written to standard output: {_reason(lost)}.", file=sys.stderr)
        return code
    print(f"error: {error('file-unusable', path='Standard output', reason=_reason(lost))}", file=sys.stderr)
    return 2


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

    if isinstance(problem, FileNotFoundError) and problem.filename is None and not _is_in_a_folder():
        gone = error("folder-gone")
        gone.progress = getattr(problem, "progress", None)
        problem = gone
    if isinstance(problem, MigratorError):
        output.say(f"error: {problem}", lines=True, file=sys.stderr)
        return problem.exit_code
    output.say(unexpected(problem, options.config, options.database_url), lines=True, file=sys.stderr)
    return 2


def _is_in_a_folder() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _reason(trouble: Exception) -> str:
    return getattr(trouble, "strerror", None) or str(trouble)


def _how_to_install(options: argparse.Namespace) -> str:
    pinned: Path = options.config.parent / _PINNED
    what = f"--require-hashes -r {_PINNED}" if pinned.is_file() else " ".join(_NEEDED.values())
    return f"Nothing was changed.\nInstall what the engine needs:\n  python -m pip install {what}"
