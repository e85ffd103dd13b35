"""The parser, built from the table of the commands. Loads nothing but argparse and the modules of the commands."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from migrator.cli import commands
from migrator.cli.command import Argument, argument
from migrator.errors.program import program

_DESCRIPTION = "Migrate a database with Alembic, safely: one run at a time, each step completely or not at all."
_EXAMPLES = """
examples:
  {cli} upgrade                        to the newest revision
  {cli} upgrade 007 --sql              print the SQL instead
  {cli} downgrade                      revert one revision
  {cli} status --exit-code             exit 1 when revisions are pending
  {cli} revision --autogenerate -m "add a column"
  {cli} check --owned-table old_table  compare a table that no model or revision mentions
  {cli} --database-url postgresql://me@localhost/app current

The database: --database-url, else MIGRATION_DATABASE_URL, else DATABASE_URL (also from .env), else sqlalchemy.url
in alembic.ini, else sqlite:///app.db. Exit codes: 0 done, 1 the answer is no, 2 an error.
"""


def parse(arguments: Sequence[str], config: Path) -> argparse.Namespace:
    """Return the options of one command; ends the process with 2 when they are wrong. `config` is the default alembic.ini."""
    front = _front()
    options = front.parse_args(arguments)
    options.config = options.config or config
    options.program = front.prog
    command = commands.load(options.command)
    if command is None:
        fact = "say which command" if options.command is None else f"there is no command {options.command!r}"
        front.error(f"{fact}; see {program()} --help")
    if command.is_alembics:
        parser = argparse.ArgumentParser(prog=f"{front.prog} {command.name}", add_help=False, allow_abbrev=False)
        _add(parser, (*command.arguments, *_common(suppress=True, verbose=False)))
        options, options.arguments = parser.parse_known_args(options.arguments, options)
        return options
    text = f"{command.help[0].upper()}{command.help[1:]}."
    parser = argparse.ArgumentParser(prog=f"{front.prog} {command.name}", description=text)
    _add(parser, (*command.arguments, *_common(suppress=True)))
    return parser.parse_args(options.arguments, options)


class _Front(argparse.ArgumentParser):
    """The parser of what comes before the command's own arguments. Only its help loads all commands."""

    def format_help(self) -> str:
        rows = "".join(f"  {command.name:<16} {command.help}\n" for command in commands.every())
        self.epilog = f"commands:\n{rows}{_EXAMPLES.format(cli=program())}"
        return super().format_help()


def _front() -> argparse.ArgumentParser:
    prog = program().removeprefix("python ")
    parser = _Front(
        prog=prog,
        usage=f"{prog} [options] command …",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add(parser, _common(suppress=False))
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _add(parser: argparse.ArgumentParser, arguments: Iterable[Argument]) -> None:
    for names, details in arguments:
        parser.add_argument(*names, **details)


def _common(*, suppress: bool, verbose: bool = True) -> list[Argument]:
    """The options that every command takes, before its name or after it; `suppress` keeps a default from undoing what came before."""
    missing: dict[str, Any] = {"default": argparse.SUPPRESS} if suppress else {}
    every = [
        argument("-c", "--config", type=Path, metavar="FILE", help="another alembic.ini", **missing),
        argument("--database-url", metavar="URL", help="another database", **missing),
        argument(
            "--lock-wait",
            type=float,
            metavar="SECONDS",
            help="how long to wait for another run, instead of the setting lock_wait",
            **missing,
        ),
        argument("-q", "--quiet", action="store_true", help="print only errors and results", **missing),
    ]
    if verbose:  # Alembic's commands have a -v of their own
        every.append(argument("-v", "--verbose", action="store_true", help="show the SQL as well", **missing))
    return every
