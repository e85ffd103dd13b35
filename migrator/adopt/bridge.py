"""A bridge: the operations that take one database from what it is to a revision, for the user to read before they are run."""

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from alembic.util import load_python_file
from sqlalchemy.engine import Connection

from migrator.adopt import trial
from migrator.adopt.bridge_words import Words
from migrator.adopt.operations import Operations
from migrator.errors import error
from migrator.errors.printable import printable
from migrator.errors.program import program
from migrator.results.adoption import Adoption
from migrator.schema.replay import Replay

_FILE = '''"""Take this database to revision {revision}.

Written by `adopt --fix` from what separates the two. {state}
"""

import sqlalchemy as sa
from alembic import op
{imports}
revision: str = "{revision}"


def upgrade() -> None:
{comments}
{body}
'''
_COMPLETE = """It has arrived there in a scratch copy of the schema; here nothing has been run.
Read it, then: {command}"""
_INCOMPLETE = """It is not complete: what it cannot fix is in the comments below. Nothing has been run.
When you have added what is missing: {command}"""


def write_for(connection: Connection, replay: Replay, found: Adoption) -> Adoption:
    """Write the file that takes the database to the nearest revision, and return what was found with it. Reads the database only.

    The operations are run in a scratch copy of the schema first. Raises StampRefused "bridge-incomplete" with what they cannot fix; then
    the file is a beginning. "bridge-impossible" where there is nothing to write.
    """
    best = found.verdict.best
    operations, words = Operations(connection, replay, best), Words(connection, replay.dialect)
    steps, body = words.said(operations), str(operations)
    path = Path(replay.script.dir, "bridges", f"to_{best.revision}.py")
    if not body:
        raise error("bridge-impossible", revision=best.revision, unfixed=_texts(found), adoption=found)
    imports, command = imports_for(body, replay.dialect.name), f"{program()} adopt --bridge {path}"
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for at, part in enumerate(operations.parts):
            tried = Path(folder, f"part_{at}.py")
            text = _FILE.format(revision=best.revision, state="", imports=imports, comments="", body=part)
            tried.write_text(text, encoding="utf-8")
            parts.append(load(tried).upgrade)
        unfixed = (*words.refused(operations), *trial.unfixed(connection, replay, best, parts))
    state = (_INCOMPLETE if unfixed else _COMPLETE).format(command=command)
    # What a database calls its columns must not end a comment.
    said = [*(f"It {step}." for step in steps), *(f"NOT FIXED: {text}" for text in unfixed)]
    comments = "\n".join(f"    # {printable(line)}" for line in said)
    text = _FILE.format(revision=best.revision, state=state, imports=imports, comments=comments, body=body)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if unfixed:
        raise error(
            "bridge-incomplete", revision=best.revision, path=path, unfixed=unfixed, steps=steps, adoption=found
        )
    return replace(found, bridge=path, steps=steps)


def _texts(found: Adoption) -> tuple[str, ...]:
    return tuple(each.text for each in found.verdict.best.real)


def imports_for(body: str, dialect: str) -> str:
    """Return the import lines that generated operations need besides `sa` and `op`. `dialect` is the database's name in SQLAlchemy."""
    lines = {f"{dialect}.": f"from sqlalchemy.dialects import {dialect}\n", "types.": "from migrator import types\n"}
    return "".join(line for word, line in lines.items() if re.search(rf"(?<![\w.]){re.escape(word)}", body))


def load(path: Path) -> ModuleType:
    """Load a bridge that `write_for` wrote, and that its reader may have changed. Raises HistoryError where it does not load."""
    try:
        return load_python_file(path.parent, path.name)
    except Exception as broken:
        reason = f"{type(broken).__name__}: {broken}"
        raise error("bridge-broken", path=path, reason=" ".join(reason.split())) from broken


def target_of(path: Path) -> str:
    """Return the revision that a bridge leads to; HistoryError where the file is none."""
    revision = getattr(load(path), "revision", None) if path.is_file() else None
    if not isinstance(revision, str):
        raise error("bridge-unusable", path=path)
    return revision
