"""What a statement does to a SQLite database, as far as foreign keys and rebuilds depend on it. It is read, never run."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from migrator.dialects.sqlite.sql.tokens import Token, cut, folded, with_depth

_HARMLESS = frozenset(
    (
        *("SELECT", "VALUES", "PRAGMA", "EXPLAIN", "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"),
        *("ANALYZE", "REINDEX", "VACUUM", "ATTACH", "DETACH"),
    )
)
_WRITES = ("INSERT", "REPLACE", "UPDATE", "DELETE")
_SCHEMA_TABLES = ("sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema")


@dataclass(frozen=True)
class Statement:
    """A statement: `verb` is its main verb ("SELECT" for all that change nothing), `kind` and `name` say what it creates, changes or drops.

    `columns` are those an UPDATE sets, None for all, or the one that is renamed or dropped; `replaces` says that an INSERT or UPDATE may
    also change or remove other rows; `renamed` is a new name; `refers` says that it adds a foreign key; `schema` is where `name` is, empty
    if the text does not say; `on` is the table of a new index or trigger; `known` is false if it could do anything.
    """

    verb: str
    kind: str = ""
    name: str = ""
    columns: frozenset[str] | None = None
    replaces: bool = False
    renamed: str = ""
    refers: bool = False
    schema: str = ""
    on: str = ""
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
        replaces, rest = any(token.word == "REPLACE" for token in rest[1:2]), rest[2:]
    schema, name, after = _name(iter(rest))
    known = bool(name) and folded(name) not in _SCHEMA_TABLES
    if verb != "UPDATE":
        return Statement(verb, name=name, replaces=replaces, schema=schema, known=known)
    return Statement(verb, name=name, columns=_set(after), replaces=replaces, schema=schema, known=known)


def _set(tokens: Iterator[Token]) -> frozenset[str] | None:
    """Return the columns that an UPDATE sets, and perhaps some that it returns; None for all."""
    columns: set[str] = set()
    place = before = ""  # `place` of a name that may be set: after SET, or after a comma outside of brackets
    for depth, token in with_depth(tokens):
        if depth == 0 and (token.word == "WHERE" or (token.word == "FROM" and before != "DISTINCT")):
            break
        if depth == 0 and token.text == "(" and place == "set":
            return None  # SET (a, b) = …: all of them, to be sure
        if depth == 0 and place == "set":
            columns.add(folded(token.name))
        place = "set" if depth == 0 and (token.word == "SET" or token.text == ",") else "value"
        before = token.word
    return frozenset(columns) or None


def _schema(verb: str, tokens: Iterator[Token]) -> Statement:
    before = [token.word for token in _through(tokens, "TEMP", "TEMPORARY", "UNIQUE", "VIRTUAL")]
    kind = before[-1] if before else ""
    schema, name, after = _name(tokens)
    if {"TEMP", "TEMPORARY"} & set(before):
        schema = "temp"
    if verb != "ALTER":
        is_on = verb == "CREATE" and kind in ("INDEX", "TRIGGER") and _until(after, "ON")
        return Statement(verb, kind, name, schema=schema, on=_name(after)[1] if is_on else "")
    words = [token for token in after if token.text != ";"]
    does = tuple(token.word for token in words[:2])
    if does == ("RENAME", "TO"):
        return Statement(verb, "RENAME", name, renamed=words[-1].name, schema=schema)
    if does[:1] == ("RENAME",) and len(words) > 3 and words[-2].word == "TO":
        column = frozenset((folded(words[-3].name),))
        return Statement(verb, "RENAME", name, columns=column, renamed=words[-1].name, schema=schema)
    if does[:1] == ("DROP",):
        return Statement(verb, "COLUMN", name, columns=frozenset((folded(words[-1].name),)), schema=schema)
    # A new column is NULL everywhere unless it has a DEFAULT, and NULL breaks no key.
    refers = {"REFERENCES", "DEFAULT"} <= {token.word for token in words}
    return Statement(verb, "COLUMN", name, refers=refers, schema=schema)


def _through(tokens: Iterator[Token], *words: str) -> Iterator[Token]:
    """Yield the tokens that are these words, and the one after them."""
    for token in tokens:
        yield token
        if token.word not in words:
            return


def _until(tokens: Iterator[Token], *words: str) -> bool:
    return any(token.word in words for token in tokens)


def _name(tokens: Iterator[Token]) -> tuple[str, str, Iterator[Token]]:
    """Return the schema before the next name, folded, or nothing; the name; and the tokens after it."""
    schema, name, before = "", "", None
    for token in tokens:
        if token.word in ("IF", "NOT", "EXISTS") and not name:
            continue
        if name and token.text != "." and before != ".":
            return schema, name, _again(token, tokens)
        if token.text != ".":
            schema, name = folded(name), token.name
        before = token.text
    return schema, name, iter(())


def _again(first: Token, rest: Iterator[Token]) -> Iterator[Token]:
    yield first
    yield from rest
