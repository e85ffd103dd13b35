"""Projects to work on: small ones made on the spot, with this engine's env.py or the one of Alembic's template; copies of the scaffold.

The body of a revision has `upgrade()`, perhaps `downgrade()` and attributes; `os`, `signal`, `Path`, `sa` and `op` are imported.
"""

import compileall
import io
import re
import shutil
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from textwrap import dedent, indent

from alembic import command
from alembic.config import Config

from tests.kit import ENGINE, ROOT

SCAFFOLD = ("alembic.ini", "migrate.py", "migrations", "app")
_COMPILED = tuple(ROOT / name for name in ("migrator", "app", "migrations/versions"))
# Alembic would load a deleted env.py from bytecode that came along.
_LEFT_BEHIND = shutil.ignore_patterns(
    "__pycache__", "*.pyc", ".*_cache", ".git", ".venv", "*.db", "*.db-*", "*.lock", "bridges"
)
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


def creates(table: str, *columns: str, then: str = "") -> str:
    """The body of a revision that creates a table with an id and these columns, and executes `then`; its downgrade drops it."""
    parts = ", ".join(('sa.Column("id", sa.Integer, primary_key=True)', *columns))
    after = f"    op.execute({then!r})\n" if then else ""
    return f'\ndef upgrade():\n    op.create_table("{table}", {parts})\n{after}\n\ndef downgrade():\n    op.drop_table("{table}")\n'


NAME = 'sa.Column("name", sa.Text)'
ANIMALS, PLANTS, STONES = creates("animals"), creates("plants"), creates("stones")
NOTHING = "def upgrade():\n    pass"


def miniature(directory: Path, *bodies: str, stock: bool = False, url: str = "") -> str:
    """Make a project with revisions 001, 002, … and return the path of its alembic.ini.

    `stock` is what `alembic init` makes, on the database at `url`.
    """
    if stock:
        alembic_init(directory, url)
        write_revisions(directory, bodies)
    else:
        make_project(directory, bodies)
    return str(directory / "alembic.ini")


def make_project(directory: Path, bodies: Sequence[str], *, env: str = _ENV, ini: str = "") -> None:
    """Write alembic.ini, with the lines of `ini` at its end, env.py and the revisions."""
    (directory / "migrations" / "versions").mkdir(parents=True)
    (directory / "alembic.ini").write_text(_INI + ini)
    (directory / "migrations" / "env.py").write_text(env)
    write_revisions(directory, bodies)


def write_revisions(directory: Path, bodies: Sequence[str], *, first: int = 1) -> None:
    """Write one file for each body, numbered from `first` on."""
    for number, body in enumerate(bodies, start=first):
        revision, parent = f"{number:03}", f"{number - 1:03}" if number > 1 else None
        text = _REVISION.format(revision=revision, parent=parent, body=dedent(body).strip())
        if "def downgrade(" not in text:
            text += _DOWNGRADE
        revision_path(directory, revision).write_text(text)


def revision_path(directory: Path, revision: str) -> Path:
    """Where `write_revisions` puts a revision; `directory` is the project's, or its alembic.ini."""
    folder = directory.parent if directory.suffix == ".ini" else directory
    return folder / "migrations" / "versions" / f"{revision}_step.py"


def upgrading(statements: str, *, own: str = "") -> str:
    """The body of a revision whose upgrade consists of these statements; `own` are attributes of its own."""
    return f"{own}\n\ndef upgrade():\n{indent(dedent(statements).strip(), '    ')}\n"


def alembic_init(directory: Path, url: str, *, template: str = "generic") -> Path:
    """Make the project that `alembic init` makes, on the database at `url`, and return the path of its env.py."""
    ini = directory / "alembic.ini"
    with redirect_stdout(io.StringIO()):
        command.init(Config(str(ini)), str(directory / "migrations"), template=template)
    # `re.sub` takes a backslash for its own, ConfigParser a percent sign.
    value = url.replace("%", "%%").replace("\\", "\\\\")
    ini.write_text(re.sub(r"(?m)^sqlalchemy\.url = .*$", f"sqlalchemy.url = {value}", ini.read_text()))
    return directory / "migrations" / "env.py"


def copy_parts(directory: Path, names: Iterable[str]) -> Path:
    """Copy files and folders of the repository into `directory`, which may have others already, and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (ROOT / name).is_dir():
            copy_folder(ROOT / name, directory / name)
        else:
            shutil.copy2(ROOT / name, directory / name)
    return directory


def copy_scaffold(directory: Path) -> Path:
    """Copy the scaffold into a new `directory` and return it. The engine, which no test changes, is a link: it has most of the files."""
    copy_parts(directory, SCAFFOLD)
    (directory / "migrator").symlink_to(ENGINE, target_is_directory=True)
    return directory


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, without what programs left in it, into one that may exist."""
    shutil.copytree(source, target, ignore=_left_behind, dirs_exist_ok=True)


def compile_sources() -> None:
    """Compile the engine and the project once: a process that may write no bytecode would do it at every start."""
    for folder in _COMPILED:
        compileall.compile_dir(folder, quiet=2)


def _left_behind(folder: str, names: list[str]) -> set[str]:
    # This bytecode comes along: it knows its source by time and size, and both are copied.
    return set() if any(map(Path(folder).is_relative_to, _COMPILED)) else _LEFT_BEHIND(folder, names)


def copy_history(directory: Path) -> Path:
    """Copy only alembic.ini and the revisions, for a test that writes files; return the path of the ini."""
    return copy_parts(directory, ("alembic.ini", "migrations")) / "alembic.ini"
