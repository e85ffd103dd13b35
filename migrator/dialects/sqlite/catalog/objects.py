"""Every object of a SQLite database, read from the texts that made them: what a PRAGMA does not say is there word for word."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from migrator.dialects.questions import Questions
from migrator.dialects.schema_object import Column, Rule, SchemaObject
from migrator.dialects.sqlite.catalog import tables
from migrator.dialects.sqlite.sql.create_table import Definition, parse
from migrator.dialects.sqlite.sql.spelling import spelled
from migrator.dialects.sqlite.sql.tokens import cut, folded, quoted, with_depth

_ALL = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
# Of FTS3, 4 and 5 and of R*Tree, for a SQLite before 3.37, which does not tell them.
_SHADOWS = ("data", "idx", "content", "docsize", "config", "segments", "segdir", "stat", "node", "rowid", "parent")

NOT_COMPARED = ("rows", "the contents of virtual tables", "PRAGMA settings of the file")
Memo = dict[Any, Any]
"""What was read before, by the texts it was read from: a replay reads the same texts after each revision."""


def objects(
    connection: Connection, dialect: Questions, *, ignore: Collection[str] = (), memo: Memo | None = None
) -> dict[str, SchemaObject]:
    """Return the tables, with all that belongs to them, and the views, by name; not those in `ignore`. Reads only, in one query."""
    memo = {} if memo is None else memo
    rows = connection.exec_driver_sql(_ALL).all()
    belongings: dict[str, list[tuple[str, str, str]]] = {}
    for kind, name, table, sql in rows:
        if kind in ("index", "trigger"):
            belongings.setdefault(folded(table), []).append((kind, name, sql))
    left_out, shadows = set(map(folded, ignore)), shadow_tables(connection, rows)
    made = {folded(name): (kind, name, sql) for kind, name, _, sql in rows if kind in ("table", "view")}
    made = {key: row for key, row in made.items() if key not in left_out and row[1].casefold() not in shadows}
    parsed = {key: _parsed(sql, memo) for key, (kind, _, sql) in made.items() if kind == "table"}
    found: dict[str, SchemaObject] = {}
    for key, (kind, name, sql) in sorted(made.items()):
        definition = parsed.get(key)
        targets = tables.implied_targets(definition, parsed) if definition else ()
        own = tuple(belongings.get(key, ()))
        texts = [text for part, _, text in ((kind, name, sql), *own) if part in ("view", "trigger")]
        named = frozenset(it for text in texts for it in _named(text, made, parsed, memo))
        what = (kind, name, sql, own, targets, named)
        if what not in memo:
            names = tables.column_names(definition)
            rules = frozenset(_belonging(*row, names, named, dialect) for row in own)
            memo[what] = _object(connection, dialect, kind, name, sql, definition, dict(targets), rules, named)
        found[name] = memo[what]
    return found


def shadow_tables(connection: Connection, rows: Sequence[Any] | None = None) -> set[str]:
    """Return the names, case-folded, of the tables that virtual tables keep for themselves. Reads only."""
    rows = connection.exec_driver_sql(_ALL).all() if rows is None else rows
    virtual = [name.casefold() for kind, name, _, sql in rows if kind == "table" and is_virtual(sql)]
    if not virtual:
        return set()
    try:
        listed = connection.exec_driver_sql(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'"
        )
        shadows = {name.casefold() for name in listed.scalars()}
    except OperationalError:
        shadows = set()
    return shadows | {f"{name}_{suffix}" for name in virtual for suffix in _SHADOWS}


def is_virtual(sql: str) -> bool:
    """Return whether a text makes a virtual table."""
    return [token.word for _, token in zip(range(2), cut(sql), strict=False)] == ["CREATE", "VIRTUAL"]


def _parsed(sql: str, memo: Memo) -> Definition | None:
    if sql not in memo:
        try:
            memo[sql] = parse(sql)
        except ValueError:  # a virtual table, or a grammar that the parser does not cover: compared as text
            memo[sql] = None
    definition: Definition | None = memo[sql]
    return definition


def _named(
    sql: str, made: Mapping[str, tuple[str, str, str]], parsed: Mapping[str, Definition | None], memo: Memo
) -> Iterator[str]:
    """Yield what stands in double quotes in a text and names a table or a column of the tables in it, to the letter."""
    if (sql, '"') not in memo:
        tokens = list(cut(sql))
        memo[sql, '"'] = ({t.name for t in tokens if t.text[0] == '"'}, {folded(t.name) for t in tokens})
    in_quotes, words = memo[sql, '"']
    if in_quotes:
        there = {made[word][1] for word in words & made.keys()}
        columns = {it for word in words & parsed.keys() for it in tables.column_names(parsed[word])}
        often = Counter(map(folded, columns))
        yield from in_quotes & (there | {it for it in columns if often[folded(it)] == 1})


def _object(
    connection: Connection,
    dialect: Questions,
    kind: str,
    name: str,
    sql: str,
    definition: Definition | None,
    targets: dict[str, tuple[str, ...]],
    rules: frozenset[Rule],
    named: frozenset[str],
) -> SchemaObject:
    if kind == "view":
        return SchemaObject("view", name, rules=rules, definition=_after_name(sql, named).removeprefix("as "))
    if definition is not None:
        columns = tables.columns(definition, dialect)
        own = tables.rules(definition, targets, dialect)
        return SchemaObject("table", name, columns, rules | frozenset(own), frozenset(definition.options))
    told = () if is_virtual(sql) else tuple(_told(connection, name))
    return SchemaObject("table", name, told, rules, definition=_after_name(sql, ()))


def _told(connection: Connection, table: str) -> Iterator[Column]:
    for _, name, kind, not_null, default, *_ in connection.exec_driver_sql(f"PRAGMA main.table_xinfo({quoted(table)})"):
        yield Column(name, kind.upper(), not not_null, default, default)


def _belonging(
    kind: str, name: str, sql: str, columns: Collection[str], named: Collection[str], dialect: Questions
) -> Rule:
    if kind == "index":
        return Rule("index", name, _index(sql, columns, dialect))
    return Rule("trigger", name, _after_name(sql, named))


def _index(sql: str, columns: Collection[str], dialect: Questions) -> str:
    tokens = list(cut(sql))
    levels = list(with_depth(tokens))
    start = next(at for at, (_, token) in enumerate(levels) if token.text == "(")
    end = next(at for at, (depth, token) in enumerate(levels) if at > start and depth == 0 and token.text == ")")
    parts = ", ".join(tables.key_parts(tokens[start : end + 1], columns, dialect))
    where = f" where {tables.expression(tokens[end + 2 :], columns, dialect)}" if len(tokens) > end + 2 else ""
    return f"{'unique ' if tokens[1].word == 'UNIQUE' else ''}({parts}){where}"


def _after_name(sql: str, named: Collection[str]) -> str:
    """Return what a CREATE says after the name of the object, in one spelling; what it tells a virtual table, as it is."""
    tokens = [token for token in cut(sql) if token.text != ";" or token.kind != "sign"]
    kinds = ("TABLE", "VIEW", "TRIGGER")
    at = next((at for at, token in enumerate(tokens) if token.word in kinds), 0) + 1
    while at < len(tokens) and tokens[at].word in ("IF", "NOT", "EXISTS"):
        at += 1
    if at + 1 < len(tokens) and tokens[at + 1].text == ".":
        at += 2
    rest = tokens[at + 1 :]
    told = next((at for at, token in enumerate(rest) if token.text == "("), 0) if is_virtual(sql) else len(rest)
    return " ".join((*spelled(rest[:told], named.__contains__), *(token.text for token in rest[told:])))
