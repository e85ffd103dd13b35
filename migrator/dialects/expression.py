"""SQL expressions compared by meaning: two texts are equal when only their spelling differs.

Only what cannot change a value is spelling. Literals and quoted names stay as they are, letter for letter.
"""

import re
from collections.abc import Collection

from migrator.dialects.questions import Questions

_PIECES = re.compile(r"""(?:\b[a-z])?'(?:[^']|'')*'|"(?:[^"]|"")*"|[\w.$]+|\s+|.""", re.I | re.S)
_BRACKETS = frozenset("(),")
_OPERATORS = frozenset("=<>!|+*/-")


def plain(expression: str | None, dialect: Questions, columns: Collection[str] = ()) -> str | None:
    """Return an SQL expression without its spelling: case, white space, quotes that mean nothing, parentheses that do nothing.

    Without the casts, too, that the database itself writes into what it was told. `columns` are the names that it may use.
    """
    if expression is None:
        return None
    pieces = [_folded(piece) for piece in _PIECES.findall(dialect.canonical(expression, columns).strip())]
    pieces = [piece for at, piece in enumerate(pieces) if not piece.isspace() or _separates(pieces, at)]
    before: list[str] = []
    while before != pieces:
        before, pieces = pieces, _without_brackets(pieces)
    return "".join(pieces)


def _folded(piece: str) -> str:
    if piece[-1] in "'\"":
        return piece
    return " " if piece.isspace() else piece.lower() if piece.isascii() else piece


def _separates(pieces: list[str], at: int) -> bool:
    """Whether white space keeps two pieces apart: words, or two signs that would be one operator."""
    before, after = pieces[at - 1], pieces[at + 1]
    if before in _BRACKETS or after in _BRACKETS:
        return False
    return (before in _OPERATORS and after in _OPERATORS) or not {before, after} & _OPERATORS


def _without_brackets(pieces: list[str]) -> list[str]:
    """Return the pieces without a pair of brackets around all of them, around another pair, or around one word or literal."""
    opened: list[int] = []
    pairs: dict[int, int] = {}
    around = ["(", *pieces, ")"]
    for at, piece in enumerate(around):
        if piece == "(":
            opened.append(at)
        elif piece == ")" and opened:
            pairs[opened.pop()] = at
    dropped = {0, len(around) - 1}
    for start, end in pairs.items():
        if pairs.get(start + 1) == end - 1 or (end == start + 2 and _is_alone(around, start)):
            inside = pairs.get(start + 1) == end - 1
            dropped |= {start + 1, end - 1} if inside else {start, end}
    return [piece for at, piece in enumerate(around) if at not in dropped]


def _is_alone(pieces: list[str], start: int) -> bool:
    """Whether the one piece in brackets is a word or a literal, and the brackets are those of no function and no row."""
    before, inner, after = pieces[start - 1], pieces[start + 1], pieces[start + 3 : start + 4]
    word = re.fullmatch(r"[\w.]+|(?:\w?'.*')", inner, re.S) is not None
    return start > 0 and word and not re.search(r"""[\w'"\])$]$""", before) and not (after and after[0].startswith("."))
