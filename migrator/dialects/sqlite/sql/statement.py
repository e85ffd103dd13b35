"""What a statement does to a SQLite database, as far as foreign keys and rebuilds depend on it. It is read, never run."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from migrator.dialects.sqlite.sql.tokens import Token, cut, with_depth

_HARMLESS = frozenset(
    (
        *("SELECT", "VALUES", "PRAGMA", "EXPLAIN", "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"),
        *("ANALYZE", "REINDEX", "VACUUM", "ATTACH", "DETACH"),
    )
)
_WRITES = ("INSERT", "REPLACE", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Statement:
    """A statement: `verb` is its main verb ("SELECT" for all that change nothing), `kind` and `name` say what it creates, changes or drops.

    `columns` are those an UPDATE sets, None for all, or the one that is renamed; `replaces` says that an INSERT may also change or
    remove rows; `renamed` is a new name; `refers` says that it adds a foreign key; `known` is false if it could do anything.
    """

    verb: str
    kind: str = ""
    name: str = ""
    columns: frozenset[str] | None = None
    replaces: bool = False
    renamed: str = ""
    refers: bool = False
    known: bool = True


@lru_cache(maxsize=128)
def read(sql: str) -> Statement:
    """Return what the statement does. The last 128 texts are remembered."""
    tokens = cut(sql)
    first = next((token for token in tokens if token.text != ";"), None)
    verb = first.word if first else "SELECT"
    if verb == "WITH":
        main = (
            token.word
            for depth, token in with_depth(tokens)
            if depth == 0 and token.word in (*_WRITES, "SELECT", "VALUES")
        )
        verb = next(main, "")
    if verb in _HARMLESS:
        return Statement("SELECT")
    if verb in _WRITES:
        return _write(verb, tokens, sql)
    if verb in ("CREATE", "DROP", "ALTER"):
        return _schema(verb, tokens)
    return Statement(verb, known=False)


def _write(verb: str, tokens: Iterator[Token], sql: str) -> Statement:
    upper = sql.upper()
    replaces = verb == "REPLACE" or (verb == "INSERT" and ("REPLACE" in upper or "CONFLICT" in upper))
    if verb != "UPDATE" and not _until(tokens, "INTO", "FROM"):
        return Statement(verb, known=False)
    rest = list(tokens) if verb == "UPDATE" else tokens
    if isinstance(rest, list) and rest[:1] and rest[0].word == "OR":
        rest = rest[2:]
    name, after = _name(iter(rest))
    if verb != "UPDATE":
        return Statement(verb, name=name, replaces=replaces, known=bool(name))
    columns: set[str] = set()
    place = ""  # of a name that may be set: after SET, or after a comma outside of brackets
    for depth, token in with_depth(after):
        if depth == 0 and token.word in ("WHERE", "FROM", "RETURNING"):
            break
        if depth == 0 and token.text == "(" and place == "set":
            return Statement(verb, name=name, known=bool(name))  # SET (a, b) = …: all of them, to be sure
        if depth == 0 and place == "set":
            columns.add(token.name.casefold())
        place = "set" if depth == 0 and (token.word == "SET" or token.text == ",") else "value"
    return Statement(verb, name=name, columns=frozenset(columns) or None, known=bool(name))


def _schema(verb: str, tokens: Iterator[Token]) -> Statement:
    kind = next((token.word for token in tokens if token.word not in ("TEMP", "TEMPORARY", "UNIQUE", "VIRTUAL")), "")
    name, after = _name(tokens)
    if verb != "ALTER":
        return Statement(verb, kind, name)
    words = [token for token in after if token.text != ";"]
    does = tuple(token.word for token in words[:2])
    if does == ("RENAME", "TO"):
        return Statement(verb, "RENAME", name, renamed=words[-1].name)
    if does[:1] == ("RENAME",) and words[-2].word == "TO":
        return Statement(verb, "RENAME", name, columns=frozenset((words[-3].name.casefold(),)), renamed=words[-1].name)
    # A new column is NULL everywhere unless it has a DEFAULT, and NULL breaks no key.
    return Statement(verb, "COLUMN", name, refers={"REFERENCES", "DEFAULT"} <= {token.word for token in words})


def _until(tokens: Iterator[Token], *words: str) -> bool:
    return any(token.word in words for token in tokens)


def _name(tokens: Iterator[Token]) -> tuple[str, Iterator[Token]]:
    """Return the next name, without a schema before it, and the tokens after it."""
    name, before = "", None
    for token in tokens:
        if token.word in ("IF", "NOT", "EXISTS") and not name:
            continue
        if name and token.text != "." and before != ".":
            return name, _again(token, tokens)
        if token.text != ".":
            name = token.name
        before = token.text
    return name, iter(())


def _again(first: Token, rest: Iterator[Token]) -> Iterator[Token]:
    yield first
    yield from rest
