"""The revision files taken together: duplicates, parents, circles, heads; and the checksum of one.

Alembic warns of a duplicate id, raises KeyError for a missing parent, and names no file when there are two heads. Here each of them is
one error that names the files.
"""

import ast
import hashlib
import re
import tokenize
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import migrator

if TYPE_CHECKING:
    from alembic.script import Script

ID_LENGTH = 32  # alembic_version.version_num is VARCHAR(32); SQLite does not enforce it, PostgreSQL does
_PARENTS = re.compile(r"^down_revision[ \t]*(?::[^=\n]+)?=[ \t]*(\([^)]*\)|[^\n#]+)", re.M)


class Unclear(Exception):
    """The parents in a text are not written out; only loading it as a module could tell."""


def check(scripts: Sequence["Script"], *, one_head: bool = True) -> None:
    """Raise HistoryError for what is wrong between the files; `one_head` forbids several, unless they branch by label or dependency."""
    files = _by_id(scripts)
    _check_parents(files)
    _check_circles(files)
    if one_head and not any(script.branch_labels or script.dependencies for script in scripts):
        _check_heads(files)


def checksum(text: str) -> str:
    """Return the sha256 of a revision's text, in hexadecimal; line ends do not count, since git may change them."""
    return hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()


def source(path: Path) -> str:
    """Return a revision's text, read as Python reads it: in UTF-8, or in the encoding that its first lines declare."""
    with tokenize.open(path) as file:
        return file.read()


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


def _by_id(scripts: Sequence["Script"]) -> dict[str, "Script"]:
    files: dict[str, Script] = {}
    for script in scripts:
        id_, path = script.revision, Path(script.path)
        if id_ in files:
            names = f"{Path(files[id_].path).name} and {path.name}"
            raise migrator.HistoryError("revision-duplicate", revision=id_, files=names)
        if len(id_) > ID_LENGTH:
            raise migrator.HistoryError("revision-too-long", revision=id_, path=path.name, length=len(id_))
        files[id_] = script
    return files


def _check_parents(files: Mapping[str, "Script"]) -> None:
    for id_, script in files.items():
        for parent in script._versioned_down_revisions:
            if parent not in files:
                path = Path(script.path).name
                raise migrator.HistoryError("parent-missing", revision=id_, path=path, parent=parent)


def _check_circles(files: Mapping[str, "Script"]) -> None:
    try:
        TopologicalSorter({id_: script._versioned_down_revisions for id_, script in files.items()}).prepare()
    except CycleError as error:
        circle = error.args[1][1:]
        names = ", ".join(Path(files[id_].path).name for id_ in circle)
        raise migrator.HistoryError("history-cycle", revisions=", ".join(circle), files=names) from None


def _check_heads(files: Mapping[str, "Script"]) -> None:
    parents = {parent for script in files.values() for parent in script._versioned_down_revisions}
    heads = {id_: Path(script.path).name for id_, script in files.items() if id_ not in parents}
    if len(heads) > 1:
        first, *_, last = heads
        raise migrator.HistoryError(
            "heads-several",
            count=len(heads),
            files=", ".join(f"{id_} ({name})" for id_, name in heads.items()),
            heads=" ".join(heads),
            first=first,
            last=last,
            last_path=heads[last],
        )
