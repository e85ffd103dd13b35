"""The command line: reads arguments, calls one method of `Migrator`, prints what came back.

Importing this, `--help` and a wrong argument load neither Alembic nor SQLAlchemy.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

import migrator
from migrator import printing, progress
from migrator.arguments import HANDED_ON, parse
from migrator.shortcut import Shortcut

if TYPE_CHECKING:
    from migrator.api import Migrator
    from migrator.results import Report

_NEEDED = ("alembic", "sqlalchemy", "filelock", "dotenv")
_INSTALL = "Nothing was changed.\nInstall what is pinned:\n  python -m pip install --require-hashes -r requirements/runtime.txt"

# What a downgrade may be allowed to do after all, by the code of the error that forbids it.
_PERMISSIONS = {"database-ahead": "run_stored", "downgrade-adopted": "drop_adopted"}


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
    allowed: dict[str, bool] = {}
    while True:
        try:
            return engine.downgrade(options.revision, **allowed)
        except migrator.HistoryError as error:
            permission = _PERMISSIONS.get(error.code)
            if permission is None or permission in allowed or not _agreed(error, options):
                raise
            allowed[permission] = True


def _agreed(error: "migrator.HistoryError", options: argparse.Namespace) -> bool:
    """Show what stands in the way of a downgrade, and the text that would be run if that is it, and ask whether to go on."""
    print(str(error).rpartition("\n")[0], file=sys.stderr)
    for revision, text in error.fields.get("texts", {}).items():
        print(f"--- revision {revision}, as it was applied; its file is gone\n{text}", file=sys.stderr)
    if options.yes or not sys.stdin.isatty():
        return bool(options.yes)
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _stamp(engine: "Migrator", options: argparse.Namespace) -> int:
    if options.sql:
        sys.stdout.write(engine.sql("stamp", options.revision, purge=options.purge))
    else:
        done = engine.stamp(options.revision, purge=options.purge, verify=not options.no_verify)
        printing.report(done, quiet=options.quiet)
    return 0


def _adopt(engine: "Migrator", options: argparse.Namespace) -> int:
    how = {name: getattr(options, name) for name in ("upgrade", "accept_harmless", "fix", "bridge", "dry_run")}
    try:
        found = engine.adopt(**how)
    except migrator.StampRefused as refused:
        if options.json and "adoption" in refused.fields:
            printing.document(printing.adoption_document(refused.fields["adoption"]))
        elif "adoption" in refused.fields and not options.quiet:
            printing.others(refused.fields["adoption"])
        raise
    if options.json:
        printing.document(printing.adoption_document(found))
    else:
        printing.adoption(found, quiet=options.quiet)
    return 0


def _baseline(engine: "Migrator", options: argparse.Namespace) -> int:
    made = engine.baseline(options.models)
    if not options.quiet:
        print(f"Wrote the models to {made.models} and the revision to {made.revision}: {', '.join(made.tables)}.")
    if made.report is not None:
        printing.report(made.report, quiet=options.quiet)
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


_RUN: dict[str, Callable[["Migrator", argparse.Namespace], int]] = {
    "upgrade": _upgrade,
    "downgrade": _downgrade,
    "current": _current,
    "status": _status,
    "history": _history,
    "log": _show_log,
    "adopt": _adopt,
    "stamp": _stamp,
    "baseline": _baseline,
}


def main(arguments: Sequence[str] | None = None, *, config: Path) -> int:
    """Run one command and return its exit code: 0 done, 1 the answer is no, 2 an error. `config` is the default alembic.ini."""
    options = parse(sys.argv[1:] if arguments is None else arguments, config)
    progress.show(verbose=options.verbose, quiet=options.quiet)
    try:
        if options.command == "scaffold":
            from migrator.scaffold import command

            return command.run(options)
        engine = _engine(options)
        run = _hand_on if options.command in HANDED_ON else _RUN[options.command]
        code = run(engine, options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print(
            "Interrupted. The step at work was rolled back, but for what an autocommit_block() had committed, which the next run\n"
            "goes on from. See where the database is:\n  python migrate.py status",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:  # the reader of standard output, head for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:  # a module of the project's own
            print(progress.unexpected(options.config, options.database_url), file=sys.stderr)
            return 2
        print(f"error: The package {error.name} is not installed.\n{_INSTALL}", file=sys.stderr)
        return 2
    except Exception as error:
        if not isinstance(error, migrator.MigratorError):
            print(progress.unexpected(options.config, options.database_url), file=sys.stderr)
            return 2
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def console() -> NoReturn:
    """Be the program `migrator` of an installed package: the project is the one in the current folder."""
    sys.exit(main(config=Path("alembic.ini")))


def _engine(options: argparse.Namespace) -> "Migrator":
    own = getattr(options, "own", None)
    settings = {
        "database_url": options.database_url,
        "lock_wait": options.lock_wait,
        "own": None if own is None else tuple(own),
    }
    if options.verbose or options.command in HANDED_ON:
        return migrator.Migrator(options.config, **settings)
    return cast("Migrator", Shortcut(options.config, **settings))


def _hand_on(engine: "Migrator", options: argparse.Namespace) -> int:
    from alembic.config import CommandLine
    from alembic.util import AutogenerateDiffsDetected

    line = CommandLine(prog="migrate.py")
    theirs = line.parser.parse_args([options.command, *options.arguments])
    theirs.raiseerr = True  # so that the error comes here instead of ending the process with 255
    try:
        engine.call(line.run_cmd, theirs, cmd_opts=theirs)
    except AutogenerateDiffsDetected as answer:
        print(answer)
        return 1
    return 0
