"""The command line: reads arguments, calls one method of `Migrator`, prints what came back.

Importing this, `--help` and a wrong argument load neither Alembic nor SQLAlchemy.
"""

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import migrator
from migrator import printing
from migrator.shortcut import Shortcut

if TYPE_CHECKING:
    from migrator.api import Migrator
    from migrator.results import Report

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
  python migrate.py --database-url postgresql://me@localhost/app current

The database: --database-url, else MIGRATION_DATABASE_URL, else DATABASE_URL (also from .env), else sqlalchemy.url
in alembic.ini, else sqlite:///app.db. Exit codes: 0 done, 1 the answer is no, 2 an error.
"""


@dataclass(frozen=True)
class Command:
    """One command: its line in --help, its arguments, and the function that does it and returns the exit code."""

    help: str
    run: Callable[["Migrator", argparse.Namespace], int]
    arguments: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = ()


def _upgrade(engine: "Migrator", options: argparse.Namespace) -> int:
    if options.sql:
        sys.stdout.write(engine.sql("upgrade", options.revision))
    else:
        printing.report(engine.upgrade(options.revision), quiet=options.quiet)
    return 0


def _downgrade(engine: "Migrator", options: argparse.Namespace) -> int:
    if options.sql:
        sys.stdout.write(engine.sql("downgrade", options.revision))
    else:
        printing.report(_taken_back(engine, options), quiet=options.quiet)
    return 0


def _taken_back(engine: "Migrator", options: argparse.Namespace) -> "Report":
    try:
        return engine.downgrade(options.revision)
    except migrator.HistoryError as error:
        texts = error.fields.get("texts") if error.code == "database-ahead" else None
        if texts is None or not _agreed(texts, options):
            raise
        return engine.downgrade(options.revision, run_stored=True)


def _agreed(texts: dict[str, str], options: argparse.Namespace) -> bool:
    """Show what the log keeps of revisions without a file, and ask whether to run it."""
    for revision, text in texts.items():
        print(f"--- revision {revision}, as it was applied; its file is gone\n{text}", file=sys.stderr)
    if options.yes or not sys.stdin.isatty():
        return bool(options.yes)
    print("Run the downgrade() of this? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _stamp(engine: "Migrator", options: argparse.Namespace) -> int:
    if options.sql:
        sys.stdout.write(engine.sql("stamp", options.revision))
    else:
        printing.report(engine.stamp(options.revision, purge=options.purge), quiet=options.quiet)
    return 0


def _current(engine: "Migrator", options: argparse.Namespace) -> int:
    heads = engine.current()
    if options.json:
        printing.document({"url": engine.url, "at": list(heads)})
    else:
        print(", ".join(heads) or "base")
    return 0


def _history(engine: "Migrator", options: argparse.Namespace) -> int:
    revisions = engine.history()
    if options.json:
        printing.document(
            [{"revision": r.revision, "description": r.description, "path": str(r.path)} for r in revisions]
        )
    else:
        printing.table(("revision", "description"), [(r.revision, r.description) for r in revisions])
    return 0


def _status(engine: "Migrator", options: argparse.Namespace) -> int:
    status = engine.status()
    if options.json:
        printing.document(printing.status_document(status))
    else:
        printing.status(status)
    return 1 if options.exit_code and status.pending else 0


def _show_log(engine: "Migrator", options: argparse.Namespace) -> int:
    entries = engine.log(options.limit)
    if options.json:
        printing.document(printing.log_document(entries))
    else:
        printing.log(entries)
    return 0


_SQL = (
    ("--sql",),
    {"action": "store_true", "help": "print the SQL, open no database; the revision may be a range a:b"},
)
_YES = (("--yes",), {"action": "store_true", "help": "do not ask before running what only the log keeps"})
_JSON = (("--json",), {"action": "store_true", "help": "one JSON document on standard output"})


def _revision(**options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return (("revision",), {"help": "an id, the beginning of one, head, base, +1 or -2", **options})


COMMANDS = {
    "upgrade": Command("bring the database up, to head or REV", _upgrade, (_revision(nargs="?", default="head"), _SQL)),
    "downgrade": Command(
        "take it down, by one or to REV", _downgrade, (_revision(nargs="?", default="-1"), _SQL, _YES)
    ),
    "current": Command("say where the database is", _current, (_JSON,)),
    "status": Command(
        "list every revision, applied or pending",
        _status,
        (_JSON, (("--exit-code",), {"action": "store_true", "help": "exit 1 when revisions are pending"})),
    ),
    "history": Command("list the revision files", _history, (_JSON,)),
    "log": Command(
        "list what really ran, newest first",
        _show_log,
        (_JSON, (("--limit",), {"type": int, "metavar": "N", "help": "the newest N entries"})),
    ),
    "stamp": Command(
        "write REV into the version table, run nothing",
        _stamp,
        (_revision(), _SQL, (("--purge",), {"action": "store_true", "help": "empty the version table first"})),
    ),
}


def main(arguments: Sequence[str] | None = None, *, config: Path) -> int:
    """Run one command and return its exit code: 0 done, 1 the answer is no, 2 an error. `config` is the default alembic.ini."""
    options = _parse(sys.argv[1:] if arguments is None else arguments, config)
    _log(options)
    try:
        engine = _engine(options)
        if options.command in HANDED_ON:
            return _hand_on(engine, options)
        return COMMANDS[options.command].run(engine, options)
    except KeyboardInterrupt:
        print(
            "Interrupted. The step at work was rolled back; see where the database is:\n  python migrate.py current",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:  # the reader of standard output, head for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not isinstance(error, migrator.MigratorError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _engine(options: argparse.Namespace) -> "Migrator":
    settings = {"database_url": options.database_url, "lock_wait": options.lock_wait}
    if options.verbose or options.command in HANDED_ON:
        return migrator.Migrator(options.config, **settings)
    return cast("Migrator", Shortcut(options.config, **settings))


def _hand_on(engine: "Migrator", options: argparse.Namespace) -> int:
    from alembic.config import CommandLine
    from alembic.util import AutogenerateDiffsDetected, CommandError

    line = CommandLine(prog="migrate.py")
    theirs = line.parser.parse_args([options.command, *options.arguments])
    theirs.raiseerr = True  # so that the error comes here instead of ending the process with 255
    try:
        line.run_cmd(engine.alembic_config(cmd_opts=theirs), theirs)
    except migrator.MigratorError:
        raise
    except AutogenerateDiffsDetected as answer:
        print(answer, file=sys.stderr)
        return 1
    except CommandError as error:
        raise migrator.HistoryError("alembic", text=error, command=options.command) from error
    return 0


def _parse(arguments: Sequence[str], config: Path) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    _add_common(common, suppress=False)
    front = argparse.ArgumentParser(
        prog="migrate.py",
        parents=[common],
        usage="migrate.py [options] command …",
        description="Migrate a database with Alembic, safely: one run at a time, each step whole or not at all.",
        epilog=_overview() + _EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    front.add_argument("command", help=argparse.SUPPRESS)
    front.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = front.parse_args(arguments)
    options.config = options.config or config
    if options.command in HANDED_ON:
        return options
    if options.command not in COMMANDS:
        front.error(f"there is no command {options.command!r}; see migrate.py --help")
    command = COMMANDS[options.command]
    own = argparse.ArgumentParser(
        prog=f"migrate.py {options.command}", description=f"{command.help[0].upper()}{command.help[1:]}."
    )
    for names, details in command.arguments:
        own.add_argument(*names, **details)
    _add_common(own, suppress=True)
    return own.parse_args(options.arguments, options)


def _add_common(parser: argparse.ArgumentParser, *, suppress: bool) -> None:
    """The options that stand before or after the command; behind it, one that is absent must not undo one before."""
    missing: dict[str, Any] = {"default": argparse.SUPPRESS} if suppress else {}
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="another alembic.ini", **missing)
    parser.add_argument("--database-url", metavar="URL", help="another database", **missing)
    parser.add_argument(
        "--lock-wait", type=float, metavar="SECONDS", help="wait this long for another run (300)", **missing
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show each step and its SQL", **missing)
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="say nothing that is not an error or an answer", **missing
    )


def _overview() -> str:
    rows = [*((name, command.help) for name, command in COMMANDS.items()), *HANDED_ON.items()]
    return "commands:\n" + "".join(f"  {name:<16} {text}\n" for name, text in rows)


def _log(options: argparse.Namespace) -> None:
    level = logging.DEBUG if options.verbose else logging.ERROR if options.quiet else logging.WARNING
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("migrator").setLevel(level)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO if options.verbose else logging.WARNING)


def _show_warning(message: Warning | str, *_: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)
