"""The revision files, read as text: ids, parents, checksums, and every mistake that can be seen before one is run.

Alembic loads the same files as modules; it warns of a duplicate id, raises KeyError for a missing parent, and shows a traceback
for a file that does not load. Here each of them is one error that names the file.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import migrator

ID_LENGTH = 32  # alembic_version.version_num is VARCHAR(32); SQLite does not enforce it, PostgreSQL does
_ASSIGNMENT = r"^{name}[ \t]*(?::[^=\n]+)?=[ \t]*(\([^)]*\)|[^\n#]+)"
_REVISION = re.compile(_ASSIGNMENT.format(name="revision"), re.M)
_PARENTS = re.compile(_ASSIGNMENT.format(name="down_revision"), re.M)
_BRANCHING = re.compile(r"^(?:branch_labels|depends_on)[ \t]*(?::[^=\n]+)?=(?![ \t]*None\b)", re.M)
_DOC = re.compile(r'\A\s*(?:#.*\n\s*)*[rR]?("""|\'\'\')(?P<doc>.*?)\1', re.S)


class Unclear(Exception):
    """The headers of the files are not all plain text; only Alembic's own loading can tell."""


@dataclass(frozen=True)
class RevisionFile:
    """One file: its id, the ids before it (none for the first), the docstring's first paragraph, and the text."""

    revision: str
    parents: tuple[str, ...]
    description: str
    path: Path
    text: str

    @property
    def checksum(self) -> str:
        """sha256 of the text, line ends normalised, in hexadecimal."""
        return checksum(self.text)


@dataclass(frozen=True)
class History:
    """All revision files; `files` maps an id to its file."""

    files: dict[str, RevisionFile]

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The ids from base to head. Raises HistoryError for a missing parent, a circle, or more than one head."""
        for file in self.files.values():
            for parent in file.parents:
                if parent not in self.files:
                    raise migrator.HistoryError("parent-missing", revision=file.revision, path=file.path, parent=parent)
        try:
            order = tuple(TopologicalSorter({id_: file.parents for id_, file in self.files.items()}).static_order())
        except CycleError as error:
            circle = [self.files[id_] for id_ in error.args[1][1:]]
            raise migrator.HistoryError(
                "history-cycle",
                revisions=", ".join(file.revision for file in circle),
                files=", ".join(file.path.name for file in circle),
            ) from None
        self._check_heads()
        return order

    @property
    def head(self) -> str | None:
        return self.order[-1] if self.order else None

    def _check_heads(self) -> None:
        parents = {parent for file in self.files.values() for parent in file.parents}
        heads = [file for id_, file in self.files.items() if id_ not in parents]
        if len(heads) > 1:
            raise migrator.HistoryError(
                "heads-several",
                count=len(heads),
                files=", ".join(f"{file.revision} ({file.path.name})" for file in heads),
                first=heads[0].revision,
                last=heads[-1].revision,
                last_path=heads[-1].path.name,
            )


def read(folders: Iterable[Path], *, recursive: bool = False) -> History:
    """Read the headers of all revision files; imports none of them, writes nothing.

    Raises HistoryError for a missing folder, a duplicate id or one that is too long; Unclear where an id is computed or a history
    branches by label or dependency, so that text alone cannot tell.
    """
    files: dict[str, RevisionFile] = {}
    for path in _paths(folders, recursive):
        file = _read_file(path)
        if (other := files.get(file.revision)) is not None:
            raise migrator.HistoryError(
                "revision-duplicate", revision=file.revision, files=f"{other.path.name} and {path.name}"
            )
        if len(file.revision) > ID_LENGTH:
            raise migrator.HistoryError(
                "revision-too-long", revision=file.revision, path=path, length=len(file.revision)
            )
        files[file.revision] = file
    return History(files)


def checksum(text: str) -> str:
    """Return the sha256 of a revision's text, in hexadecimal; line ends do not count, since git may change them."""
    return hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()


def parents_of(text: str) -> tuple[str, ...]:
    """Return the ids that a revision's text says it comes after. Raises Unclear when they are not plain text."""
    parents = _PARENTS.findall(text)
    if len(parents) != 1:
        raise Unclear
    return _literal(Path(), parents[0])


def _paths(folders: Iterable[Path], recursive: bool) -> Iterator[Path]:
    for folder in folders:
        if not folder.is_dir():
            raise migrator.HistoryError("versions-missing", path=folder)
        found = sorted(folder.rglob("*.py") if recursive else folder.glob("*.py"))
        yield from (path for path in found if path.name != "__init__.py" and not path.name.startswith(".#"))


def _read_file(path: Path) -> RevisionFile:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise migrator.HistoryError("revision-does-not-load", path=path, line="unknown", error=error) from error
    revisions, parents = _REVISION.findall(text), _PARENTS.findall(text)
    if len(revisions) != 1 or len(parents) != 1 or _BRANCHING.search(text):
        raise Unclear(path)
    revision, parent = _literal(path, revisions[0]), _literal(path, parents[0])
    doc = _DOC.match(text)
    description = " ".join(doc["doc"].strip().split("\n\n")[0].split()) if doc else ""
    return RevisionFile("".join(revision), parent, description, path, text)


def _literal(path: Path, source: str) -> tuple[str, ...]:
    try:
        value = ast.literal_eval(source.strip())
    except (ValueError, SyntaxError):
        raise Unclear(path) from None
    values = () if value is None else (value,) if isinstance(value, str) else value
    if not isinstance(values, tuple | list) or not all(isinstance(item, str) for item in values):
        raise Unclear(path)
    return tuple(values)
