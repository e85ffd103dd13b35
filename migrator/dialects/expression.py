"""SQL expressions compared by meaning: two texts are equal when only their spelling differs."""

import re

from migrator.dialects.questions import Questions

_QUOTED = re.compile(r"('(?:[^']|'')*')")
_ALONE = re.compile(r"('(?:[^']|'')*')|(?<![\w'\"])\(([\w.]+|'(?:[^']|'')*')\)")


def plain(expression: str | None, dialect: Questions) -> str | None:
    """Return an SQL expression without its spelling: case, white space, quotes around names, parentheses that do nothing.

    Without the casts, too, that the database itself writes into what it was told.
    """
    if expression is None:
        return None
    uncast = "".join(p if p.startswith("'") else dialect.strip_casts(p) for p in _QUOTED.split(expression))
    parts = _QUOTED.split(_ALONE.sub(r"\1\2", uncast))
    text = "".join(p if p.startswith("'") else re.sub(r'[\s"`\[\]]+', " ", p).lower() for p in parts)
    text = re.sub(r"\s*([(),=<>!|+*/-]+)\s*", r"\1", text).strip()
    before = ""
    while before != text:
        before, text = text, _ALONE.sub(r"\1\2", _single(text))
    return text


def _single(text: str) -> str:
    """Return the text without parentheses around all of it, or around nothing but another pair."""
    opened: list[int] = []
    pairs: dict[int, int] = {}
    quoted = False
    for position, sign in enumerate(f"({text})"):
        quoted ^= sign == "'"
        if sign == "(" and not quoted:
            opened.append(position)
        elif sign == ")" and not quoted and opened:
            pairs[opened.pop()] = position
    inner = {start + 1: end - 1 for start, end in pairs.items() if pairs.get(start + 1) == end - 1}
    dropped = {0, len(text) + 1, *inner, *inner.values()}
    return "".join(sign for position, sign in enumerate(f"({text})") if position not in dropped).strip()
