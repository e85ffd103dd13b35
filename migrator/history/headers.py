"""The heads of the revision files, read as text, for the quick answers: whatever is not one plain line of revisions is Unclear."""

import re
from dataclasses import dataclass
from pathlib import Path

from migrator.history import file_text
from migrator.history.file_text import Unclear

_REVISION = re.compile(r"^revision[ \t]*(?::[^=\n]+)?=[ \t]*(['\"])([^'\"\n]+)\1[ \t]*$", re.M)
_BRANCHING = re.compile(r"^(?:branch_labels|depends_on)[ \t]*(?::[^=\n]+)?=(?![ \t]*None\b)", re.M)
_FUNCTIONS = re.compile(r"^def (upgrade|downgrade)\(", re.M)
_DOC = re.compile(r'\A"""(.*?)"""', re.S)


@dataclass(frozen=True)
class Header:
    """One file: its id, the docstring's first paragraph, where it is, its text and the checksum of that."""

    revision: str
    description: str
    path: Path
    checksum: str
    text: str


def read(folder: Path) -> tuple[Header, ...]:
    """Return the files of a folder from base to head; imports none of them, writes nothing. Raises Unclear."""
    after: dict[str | None, Header] = {}
    for path in sorted(folder.glob("*.py")):
        if path.name.startswith(("__init__", ".#")):
            continue
        text = _text(path)
        header, parents = _header(path, text), file_text.parents_of(text)
        if len(parents) > 1 or (parent := parents[0] if parents else None) in after:
            raise Unclear
        after[parent] = header
    line: list[Header] = []
    at: str | None = None
    while at in after:
        line.append(after.pop(at))
        at = line[-1].revision
    if after or any(len(header.revision) > file_text.ID_LENGTH for header in line):
        raise Unclear
    return tuple(line)


def _text(path: Path) -> str:
    try:
        return file_text.source(path)
    except (OSError, SyntaxError, UnicodeDecodeError):
        raise Unclear from None


def _header(path: Path, text: str) -> Header:
    ids, doc = _REVISION.findall(text), _DOC.match(text)
    functions = _FUNCTIONS.findall(text)
    one_each = functions.count("upgrade") == 1 and functions.count("downgrade") <= 1
    if len(ids) != 1 or doc is None or _BRANCHING.search(text) or not one_each:
        raise Unclear
    description = " ".join(doc[1].strip().split("\n\n")[0].split())
    return Header(ids[0][1], description, path, file_text.checksum(text), text)
