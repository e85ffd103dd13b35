"""A CREATE TABLE split into columns, constraints and options, each with its own text, left as it was written.

The grammar is the one of sqlite.org/lang_createtable.html.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from migrator.dialects.sqlite.sql.tokens import Token, cut, folded, names_in, with_depth

_TABLE_LEVEL = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}
_COLUMN_LEVEL = _TABLE_LEVEL - {"FOREIGN"} | {"NOT", "NULL", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS"}
_KINDS = {
    "PRIMARY": "PRIMARY KEY",
    "NOT": "NULL",
    "REFERENCES": "FOREIGN KEY",
    "FOREIGN": "FOREIGN KEY",
    "AS": "GENERATED",
}
CONSTRAINTS = ("PRIMARY KEY", "UNIQUE", "CHECK", "FOREIGN KEY")


@dataclass(frozen=True)
class Clause:
    """A constraint or another clause. `columns` are those it is about, `target` is the table and then the columns it refers to."""

    kind: str
    text: str
    tokens: tuple[Token, ...]
    name: str | None
    columns: tuple[str, ...]
    target: tuple[str, ...] = ()

    @property
    def body(self) -> tuple[str, ...]:
        """Its tokens without its name, in one spelling."""
        return tuple(token.normal for token in self.tokens[2 if self.name is not None else 0 :])

    @property
    def spelled(self) -> tuple[str, ...]:
        """Its tokens with its name, in one spelling."""
        return tuple(token.normal for token in self.tokens)

    def under(self, name: str) -> str:
        """Return its text under another name, written as SQL."""
        start = self.tokens[2 if self.name is not None else 0].start - self.tokens[0].start
        return f"CONSTRAINT {name} {self.text[start:]}"

    @property
    def inner(self) -> str:
        """Its text from the first bracket to the last, of a generated column the expression."""
        brackets = [token for token in self.tokens if token.text in ("(", ")")]
        start = self.tokens[0].start
        return self.text[brackets[0].end - start : brackets[-1].start - start] if brackets else ""

    def says(self, word: str) -> bool:
        """Return whether the word, in capitals, is one of its tokens."""
        return any(token.word == word for token in self.tokens)


@dataclass(frozen=True)
class Column:
    """A column. `head` is its name as written, `text` everything between two commas, comments included."""

    name: str
    head: str
    text: str
    type: tuple[str, ...]
    type_text: str
    clauses: tuple[Clause, ...]

    @property
    def key(self) -> str:
        """The name as SQLite compares names."""
        return folded(self.name)

    def of(self, kind: str) -> Clause | None:
        """Return the first clause of a kind, None if there is none."""
        return next((clause for clause in self.clauses if clause.kind == kind), None)

    def says(self, kind: str) -> tuple[str, ...]:
        """Return the tokens of its "TYPE" or of its first clause of a kind, in one spelling; empty if it has none."""
        if kind == "TYPE":
            return self.type
        clause = self.of(kind)
        return clause.body if clause else ()


@dataclass(frozen=True)
class Definition:
    """A table. `columns` are keyed by their folded names, `constraints` are those that are not written in a column."""

    columns: dict[str, Column]
    constraints: tuple[Clause, ...]
    options: tuple[str, ...]

    def every(self) -> Iterator[tuple[Column | None, Clause]]:
        """Yield each constraint, with the column that it is written in, None for the table's own."""
        for column in self.columns.values():
            for clause in column.clauses:
                if clause.kind in CONSTRAINTS:
                    yield column, clause
        for clause in self.constraints:
            yield None, clause

    @property
    def primary_key(self) -> tuple[Column | None, Clause] | None:
        """The clause of the primary key, with the column that it is written in; None if the table has none."""
        return next(((column, clause) for column, clause in self.every() if clause.kind == "PRIMARY KEY"), None)

    @property
    def rowid_column(self) -> str | None:
        """The key of the column that is the rowid, which counts upwards: a primary key of one column, INTEGER to the letter, and not
        `INTEGER PRIMARY KEY DESC` (sqlite.org/lang_createtable.html#rowid). None if the table has none.
        """
        if self.primary_key is None or "WITHOUT ROWID" in self.options:
            return None
        inline, clause = self.primary_key
        column = self.columns.get(clause.columns[0]) if len(clause.columns) == 1 else None
        if column is None or column.type != ("integer",) or (inline is not None and clause.says("DESC")):
            return None
        return column.key


def parse(sql: str) -> Definition:
    """Return the parts of a CREATE TABLE. Raises ValueError for any other text, and for one that this grammar does not cover."""
    tokens = list(cut(sql))
    if not [token.word for token in tokens[:2]] == ["CREATE", "TABLE"]:
        raise ValueError("not a CREATE TABLE")
    levels = list(with_depth(tokens))
    opening = next((at for at, (_, token) in enumerate(levels) if token.text == "("), None)
    if opening is None:
        raise ValueError("no list of columns")
    columns: dict[str, Column] = {}
    constraints: list[Clause] = []
    item: list[Token] = []
    start = tokens[opening].end
    for at in range(opening + 1, len(levels)):
        depth, token = levels[at]
        ends = depth == 0 and token.text == ")"
        if not ends and not (depth == 1 and token.text == ","):
            item.append(token)
            continue
        if not item:
            raise ValueError("an empty part")
        if item[0].word in _TABLE_LEVEL:
            constraints += _clauses(sql, item, None)
        else:
            column = _column(sql, item, sql[start : token.start])
            if column.key in columns:
                raise ValueError(f"two columns are called {column.name}")
            columns[column.key] = column
        item, start = [], token.end
        if ends:
            rest = " ".join(token.word or token.text for token in tokens[at + 1 :])
            return Definition(
                columns, tuple(constraints), tuple(option.strip() for option in rest.split(",") if option)
            )
    raise ValueError("a bracket is not closed")


def _column(sql: str, item: Sequence[Token], text: str) -> Column:
    first = next(iter(_starts(item, _COLUMN_LEVEL)), len(item))
    kinds = item[1:first]
    return Column(
        name=item[0].name,
        head=item[0].text,
        text=text,
        type=tuple(token.normal for token in kinds),
        type_text=sql[kinds[0].start : kinds[-1].end] if kinds else "",
        clauses=tuple(_clauses(sql, item, item[0].name)),
    )


def _starts(item: Sequence[Token], words: set[str]) -> Iterator[int]:
    """Yield the index of each token of an item that begins a clause; SQLite needs no comma between two of them."""
    for at, (depth, token) in enumerate(with_depth(item)):
        word = token.word
        before = item[at - 1].word if at else ""
        after = item[at + 1].word if at + 1 < len(item) else ""
        continues = (
            (word == "NOT" and after == "DEFERRABLE")
            or (word == "NULL" and before in ("NOT", "SET", "DEFAULT"))
            or (word == "DEFAULT" and before == "SET")
            or (word == "AS" and before == "ALWAYS")
            or (at > 1 and item[at - 2].word == "CONSTRAINT" and word != "CONSTRAINT")
            or before in ("CONSTRAINT", "COLLATE")
        )
        if depth == 0 and word in words and not continues and (at or words is _TABLE_LEVEL):
            yield at


def _clauses(sql: str, item: Sequence[Token], column: str | None) -> Iterator[Clause]:
    starts = list(_starts(item, _TABLE_LEVEL if column is None else _COLUMN_LEVEL))
    for start, end in pairwise([*starts, len(item)]):
        tokens = tuple(item[start:end])
        named = tokens[0].word == "CONSTRAINT" and len(tokens) > 1
        verb = tokens[2].word if named and len(tokens) > 2 else tokens[0].word
        yield Clause(
            kind=_KINDS.get(verb, verb),
            text=sql[tokens[0].start : tokens[-1].end],
            tokens=tokens,
            name=tokens[1].name if named else None,
            columns=_columns(tokens[2:] if named else tokens, verb, column),
            target=_target(tokens),
        )


def _columns(tokens: Sequence[Token], verb: str, column: str | None) -> tuple[str, ...]:
    if verb in ("CHECK", "GENERATED", "AS"):
        own = (folded(column),) if column and verb == "CHECK" else ()
        return (*own, *sorted(names_in(tokens) - {"check", "generated", "always", "as"}))
    return (folded(column),) if column else _list(tokens)


def _target(tokens: Sequence[Token]) -> tuple[str, ...]:
    at = next(
        (at for at, (depth, token) in enumerate(with_depth(tokens)) if not depth and token.word == "REFERENCES"), 0
    )
    if not at and tokens[0].word != "REFERENCES":
        return ()
    rest = tokens[at + 1 :]
    return (folded(rest[0].name), *(_list(rest[1:]) if rest[1:2] and rest[1].text == "(" else ()))


def _list(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return the names in the first pair of brackets: each one that follows the bracket or a comma."""
    found, before = [], None
    for depth, token in with_depth(tokens):
        if before is not None and depth == 1 and before.text in ("(", ","):
            found.append(folded(token.name))
        if found and depth == 0 and token.text == ")":
            break
        before = token
    return tuple(found)
