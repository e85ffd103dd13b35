"""The command line's words: every command, its line in --help and its options. Loads nothing but argparse."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HANDED_ON = {
    "branches": "show where the history branches",
    "check": "exit 1 when the models and the database differ",
    "edit": "open a revision file in $EDITOR",
    "ensure_version": "create the version table, and nothing else",
    "heads": "show the newest revisions",
    "init": "make a new folder of migrations",
    "list_templates": "list what init can make",
    "merge": "join two heads",
    "revision": "make a new revision file (--autogenerate -m 'what it does')",
    "show": "show one revision",
}
_EXAMPLES = """
examples:
  python migrate.py upgrade                        to the newest revision
  python migrate.py upgrade 007 --sql              print the SQL instead
  python migrate.py downgrade                      one revision back
  python migrate.py status --exit-code             exit 1 when revisions are pending
  python migrate.py revision --autogenerate -m "add a column"
  python migrate.py check --own old_table          compare that table too, which no model or revision speaks of
  python migrate.py --database-url postgresql://me@localhost/app current

The database: --database-url, else MIGRATION_DATABASE_URL, else DATABASE_URL (also from .env), else sqlalchemy.url
in alembic.ini, else sqlite:///app.db. Exit codes: 0 done, 1 the answer is no, 2 an error.
"""


@dataclass(frozen=True)
class Command:
    """One command: its line in --help, and its arguments as argparse takes them."""

    help: str
    arguments: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = ()


_SQL = (
    ("--sql",),
    {"action": "store_true", "help": "print the SQL, open no database; the revision may be a range a:b"},
)
_YES = (("--yes",), {"action": "store_true", "help": "do not ask before a downgrade that cannot be undone"})
_JSON = (("--json",), {"action": "store_true", "help": "one JSON document on standard output"})


def _switch(name: str, text: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    return ((name,), {"action": "store_true", "help": text})


def _revision(**options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return (("revision",), {"help": "an id, the beginning of one, head, base, +1 or -2", **options})


COMMANDS = {
    "upgrade": Command("bring the database up, to head or REV", (_revision(nargs="?", default="head"), _SQL)),
    "downgrade": Command("take it down, by one or to REV", (_revision(nargs="?", default="-1"), _SQL, _YES)),
    "current": Command("say where the database is", (_JSON,)),
    "status": Command(
        "list every revision, applied or pending",
        (_JSON, (("--exit-code",), {"action": "store_true", "help": "exit 1 when revisions are pending"})),
    ),
    "history": Command("list the revision files", (_JSON,)),
    "log": Command(
        "list what really ran, newest first",
        (_JSON, (("--limit",), {"type": int, "metavar": "N", "help": "the newest N entries"})),
    ),
    "adopt": Command(
        "find the revision whose schema a legacy database has, and stamp it",
        (
            _JSON,
            _switch("--upgrade", "then go on to head"),
            _switch("--dry-run", "say what would be stamped"),
            _switch("--accept-harmless", "stamp although harmless differences remain"),
            _switch("--fix", "write the operations that lead to the nearest revision, and run nothing"),
            (("--bridge",), {"type": Path, "metavar": "FILE", "help": "run such a file, compare, and stamp"}),
        ),
    ),
    "baseline": Command(
        "begin a history from a database that has none: models and one revision",
        (
            (
                ("--models",),
                {"type": Path, "metavar": "FILE", "default": Path("app/models/__init__.py"), "help": "where to"},
            ),
        ),
    ),
    "scaffold": Command(
        "make a new project in an empty folder",
        ((("folder",), {"type": Path, "metavar": "DIR", "help": "a folder that is empty, or not there yet"}),),
    ),
    "stamp": Command(
        "write REV into the version table, run nothing",
        (
            _revision(),
            _SQL,
            _switch("--purge", "empty the version table first"),
            _switch("--no-verify", "do not compare the schema with that of REV"),
        ),
    ),
}


def parse(arguments: Sequence[str], config: Path) -> argparse.Namespace:
    """Return the options of one command; ends the process with 2 where they are wrong. `config` is the default alembic.ini."""
    common = argparse.ArgumentParser(add_help=False)
    _add_common(common, suppress=False)
    front = argparse.ArgumentParser(
        prog=_program(),
        parents=[common],
        usage=f"{_program()} [options] command …",
        description="Migrate a database with Alembic, safely: one run at a time, each step whole or not at all.",
        epilog=_overview() + _EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    front.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    front.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = front.parse_args(arguments)
    options.config = options.config or config
    if options.command in HANDED_ON:
        # Theirs is -v; ours may stand behind the command as well, and what is left is for Alembic to read.
        ours = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        ours.add_argument("--own", action="append", metavar="TABLE", default=argparse.SUPPRESS)
        _add_common(ours, suppress=True, verbose=False)
        options, options.arguments = ours.parse_known_args(options.arguments, options)
        return options
    if options.command not in COMMANDS:
        fact = "say which command" if options.command is None else f"there is no command {options.command!r}"
        front.error(f"{fact}; see python migrate.py --help")
    command = COMMANDS[options.command]
    own = argparse.ArgumentParser(
        prog=f"{_program()} {options.command}", description=f"{command.help[0].upper()}{command.help[1:]}."
    )
    for names, details in command.arguments:
        own.add_argument(*names, **details)
    _add_common(own, suppress=True)
    return own.parse_args(options.arguments, options)


def _add_common(parser: argparse.ArgumentParser, *, suppress: bool, verbose: bool = True) -> None:
    """The options that stand before or after the command; behind it, one that is absent must not undo one before."""
    missing: dict[str, Any] = {"default": argparse.SUPPRESS} if suppress else {}
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="another alembic.ini", **missing)
    parser.add_argument("--database-url", metavar="URL", help="another database", **missing)
    parser.add_argument(
        "--lock-wait", type=float, metavar="SECONDS", help="wait this long for another run (300)", **missing
    )
    if verbose:
        parser.add_argument("-v", "--verbose", action="store_true", help="show the SQL as well", **missing)
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="say nothing that is not an error or an answer", **missing
    )


def _program() -> str:
    return "migrator" if Path(sys.argv[0]).stem == "migrator" else "migrate.py"


def _overview() -> str:
    rows = [*((name, command.help) for name, command in COMMANDS.items()), *HANDED_ON.items()]
    return "commands:\n" + "".join(f"  {name:<16} {text}\n" for name, text in rows)
