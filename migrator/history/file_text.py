"""A revision file read as text: its source, its checksum, and the parents that are written in it. Loads neither Alembic nor SQLAlchemy."""

import ast
import hashlib
import re
import tokenize
from pathlib import Path

ID_LENGTH = 32  # alembic_version.version_num is VARCHAR(32); SQLite does not enforce it, PostgreSQL does
_PARENTS = re.compile(r"^down_revision[ \t]*(?::[^=\n]+)?=[ \t]*(\([^)]*\)|[^\n#]+)", re.M)


class Unclear(Exception):
    """A text does not say it plainly; only loading it as a module could tell."""


def source(path: Path) -> str:
    """Return a file's text, read as Python reads it: in UTF-8, or in the encoding that its first lines declare."""
    with tokenize.open(path) as file:
        return file.read()


def checksum(text: str) -> str:
    """Return the sha256 of a revision's text, in hexadecimal; line ends do not count, since git may change them."""
    return hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()


def parents_of(text: str) -> tuple[str, ...]:
    """Return the ids that a revision's text says it comes after. Raises Unclear when they are not written out."""
    try:
        [written] = _PARENTS.findall(text)
        value = ast.literal_eval(written.strip())
    except (ValueError, SyntaxError):
        raise Unclear from None
    values = () if value is None else (value,) if isinstance(value, str) else value
    if not isinstance(values, tuple | list) or not all(isinstance(item, str) for item in values):
        raise Unclear
    return tuple(values)
