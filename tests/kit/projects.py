"""Small projects made on the spot: a few revisions, and either this engine's env.py or the one that Alembic's template has."""

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from textwrap import dedent

from alembic import command
from alembic.config import Config

_INI = "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = %(here)s\npath_separator = os\n"
_ENV = "import sqlalchemy as sa\n\nfrom migrator import run_env\n\nrun_env(sa.MetaData())\n"
_REVISION = '''"""Revision {revision}."""

import os
import signal
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {parent!r}
branch_labels = None
depends_on = None

{body}
'''
_DOWNGRADE = "\n\ndef downgrade():\n    pass\n"


def miniature(directory: Path, *bodies: str, stock: bool = False, url: str = "") -> str:
    """Make a project with revisions 001, 002, … and return the path of its alembic.ini.

    A body has `upgrade()`, perhaps `downgrade()` and attributes; `os`, `signal`, `Path`, `sa` and `op` are imported.
    `stock` is what `alembic init` makes, on the database at `url`.
    """
    if stock:
        _init(directory, url)
    else:
        (directory / "migrations" / "versions").mkdir(parents=True)
        (directory / "alembic.ini").write_text(_INI)
        (directory / "migrations" / "env.py").write_text(_ENV)
    write_revisions(directory, bodies)
    return str(directory / "alembic.ini")


def write_revisions(directory: Path, bodies: Sequence[str], *, first: int = 1) -> None:
    """Write one file for each body, numbered from `first` on."""
    for number, body in enumerate(bodies, start=first):
        revision, parent = f"{number:03}", f"{number - 1:03}" if number > 1 else None
        text = _REVISION.format(revision=revision, parent=parent, body=dedent(body).strip())
        if "def downgrade(" not in text:
            text += _DOWNGRADE
        (directory / "migrations" / "versions" / f"{revision}_step.py").write_text(text)


def _init(directory: Path, url: str) -> None:
    ini = directory / "alembic.ini"
    with redirect_stdout(io.StringIO()):
        command.init(Config(str(ini)), str(directory / "migrations"))
    value = url.replace("%", "%%").replace("\\", "\\\\")
    ini.write_text(re.sub(r"(?m)^sqlalchemy\.url = .*$", f"sqlalchemy.url = {value}", ini.read_text()))
