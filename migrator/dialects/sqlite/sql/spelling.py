"""One spelling for SQL that means the same to SQLite.

A name in double quotes that names nothing is a text to SQLite, whose case counts. https://www.sqlite.org/quirks.html#dblquote
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from migrator.dialects.sqlite.sql.tokens import Token, cut, folded, quoted

_ROWID = frozenset(("rowid", "oid", "_rowid_"))
_BARE = re.compile(r"[^\W\d][\w$]*")
# Without quotes they are no names, or not everywhere.
_KEYWORDS = frozenset(
    (
        *("all", "and", "as", "asc", "between", "case", "collate", "cross", "current_date", "current_time"),
        *("current_timestamp", "desc", "distinct", "else", "end", "escape", "except", "exists", "false"),
        *("from", "full", "glob", "group", "having", "in", "inner", "intersect", "is", "isnull", "join"),
        *("left", "like", "limit", "natural", "not", "notnull", "null", "on", "or", "order", "outer", "raise"),
        *("regexp", "right", "select", "set", "then", "true", "union", "using", "values", "when", "where", "window"),
    )
)


def spelled(tokens: Sequence[Token], is_name: Callable[[str], bool]) -> Iterator[str]:
    """Yield each token in one spelling; `is_name` says whether what stands in double quotes names something."""
    for at, token in enumerate(tokens):
        if token.kind == "word":
            yield folded(token.text)
        elif token.kind != "quoted":
            yield token.text
        elif token.text[0] != '"' or _is_named(tokens, at) or is_name(token.name):
            yield name(token.name)
        else:
            yield token.text


def name(written: str) -> str:
    """Return a name in one spelling, in quotes where it would be something else without them."""
    it = folded(written)
    return it if _BARE.fullmatch(it) and it not in _KEYWORDS else quoted(it)


def expression(text: str, columns: Collection[str]) -> str:
    """Return an expression in one spelling; whatever it names is a column or a function."""
    names = _ROWID.union(map(folded, columns))
    tokens = list(cut(text))
    words, before = [], None
    for token, word in zip(tokens, spelled(tokens, lambda it: folded(it) in names), strict=True):
        words.append(word if "sign" in (token.kind, before) else f" {word}")
        before = token.kind
    return "".join(words).strip()


def _is_named(tokens: Sequence[Token], at: int) -> bool:
    """Whether a token can be nothing but a name, whatever there is: of a table, of a column of it, a function or a collation."""
    before = tokens[at - 1] if at else None
    after = tokens[at + 1].text if at + 1 < len(tokens) else ""
    return after in (".", "(") or (before is not None and (before.text == "." or before.word == "COLLATE"))
