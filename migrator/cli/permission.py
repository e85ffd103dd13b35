"""Permissions: what the engine refuses to do unasked, and the one who types may allow."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from migrator.cli import output
from migrator.cli.command import switch
from migrator.errors.printable import printable

if TYPE_CHECKING:
    from migrator.errors.tree import MigratorError
    from migrator.results import Report

RERUN = switch("--rerun-interrupted", "run an interrupted step again from its start, where it cannot be resumed")
# The argument of `Migrator` that allows it after all, by the code of the error that refuses it.
_DOWNGRADES = {"database-ahead": "run_stored", "downgrade-adopted": "drop_adopted"}
_BOTH = {"step-interrupted": "rerun_interrupted"}


def asked_for(work: Callable[..., "Report"], options: argparse.Namespace) -> "Report":
    """Call `work` with what the command line allows; where it refuses, ask, and call it again with that allowed as well.

    Without a terminal nobody is asked; `--yes` is the answer to what a downgrade asks, and to nothing else.
    """
    asked_of = {**_BOTH, **_DOWNGRADES} if options.command == "downgrade" else _BOTH
    allowed = {"rerun_interrupted": True} if options.rerun_interrupted else {}
    while True:
        try:
            return work(**allowed)
        except Exception as raised:  # not by its class, whose module loads Alembic
            code = str(getattr(raised, "code", ""))
            permission = asked_of.get(code)
            if permission is None or permission in allowed:
                raise
            refusal = cast("MigratorError", raised)
            if not _is_allowed(refusal, yes=code in _DOWNGRADES and options.yes):
                raise
            allowed[permission] = True


def _is_allowed(refusal: "MigratorError", *, yes: bool) -> bool:
    """Show why it is refused, with the stored texts that would be run, and ask whether to continue."""
    output.say(str(refusal).rpartition("\n")[0], lines=True, file=sys.stderr)
    texts: Mapping[str, Any] = refusal.fields.get("texts", {})
    for name, text in texts.items():
        heading = f"--- revision {printable(name)}, as it was applied; its file is gone"
        output.say(f"{heading}\n{text}", lines=True, file=sys.stderr)
    if yes or sys.stdin is None or not sys.stdin.isatty():
        return yes
    print("Continue? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
