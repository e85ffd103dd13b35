"""SQLite's SQL in tokens: enough to compare two texts, and to split one at the right places.

The lexical rules are those of sqlite.org/lang_keywords.html and lang_expr.html; nothing is parsed here.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from string import ascii_uppercase

_TOKEN = re.compile(
    r"""
      (?P<skip> \s+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<string> [xX]?'(?:[^']|'')*' )
    | (?P<quoted> "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
    | (?P<number> (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\w* )
    | (?P<word> [^\W\d][\w$]* )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_FOLDED = {ord(letter): letter.lower() for letter in ascii_uppercase}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL, and its position in the text."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The keyword that this may be, in upper case; empty for everything else, also for a quoted name."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The name that this may be, without its quotes; SQLite accepts a string if only a name is possible."""
        if self.kind == "word":
            return self.text
        if self.kind not in ("quoted", "string"):
            return ""
        quote = self.text[-1]
        inner = self.text[1:-1]
        return inner if quote == "]" else inner.replace(quote * 2, quote)

    @property
    def normal(self) -> str:
        """One spelling for all: names without quotes and case, everything else as it is."""
        return self.name.casefold() if self.kind in ("word", "quoted") else self.text


def folded(name: str) -> str:
    """Return a name as SQLite compares names: the letters A to Z only have no case."""
    return name.translate(_FOLDED)


def cut(sql: str) -> Iterator[Token]:
    """Yield the tokens of a text, without spaces and comments; it reads no further than the caller does."""
    for found in _TOKEN.finditer(sql):
        if found.lastgroup != "skip":
            yield Token(str(found.lastgroup), found.group(), found.start(), found.end())


def with_depth(tokens: Iterable[Token]) -> Iterator[tuple[int, Token]]:
    """Yield each token with the number of brackets around it; a bracket is not inside itself."""
    depth = 0
    for token in tokens:
        if token.text == ")":
            depth -= 1
        yield depth, token
        if token.text == "(":
            depth += 1


def names_in(tokens: Iterable[Token]) -> set[str]:
    """Return everything in the tokens that could be a name, case-folded."""
    return {token.normal for token in tokens if token.kind in ("word", "quoted")}


def quoted(name: str) -> str:
    """Return the name in double quotes, as SQL, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def same(one: str, other: str) -> bool:
    """Return whether SQLite takes the two for the same name."""
    return one.casefold() == other.casefold()
