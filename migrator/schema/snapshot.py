"""What a database's schema says, as plain data, and how two of them differ.

Read through SQLAlchemy's reflection, so both sides of a comparison have been told by the same kind of server, and compared by meaning:
types as the dialect writes them, defaults and expressions without their spelling, constraints and indexes by what they do.
"""

import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import CompileError

from migrator.dialects import Dialect

Kind = Literal["primary key", "unique", "foreign key", "check", "index"]
_QUOTED = re.compile(r"('(?:[^']|'')*')")
NOTHING = ("", "None", "False", "[]", "{}")
_TEXT_CAST = re.compile(r"::(?:text|character varying|varchar|bpchar)(?:\(\d+\))?(?:\[\])?", re.I)
_ALONE = re.compile(r"('(?:[^']|'')*')|(?<![\w'\"])\(([\w.]+|'(?:[^']|'')*')\)")
_SIZED = re.compile(r"VARCHAR\((\d+)\)", re.I)


@dataclass(frozen=True)
class Column:
    """`type` as the dialect writes it, `default` as the server tells it, `extra` for generated and identity columns."""

    name: str
    type: str
    nullable: bool
    default: str | None
    extra: str = ""


@dataclass(frozen=True)
class Rule:
    """A constraint or an index: `meaning` is what it does, in words that are equal when it does the same."""

    kind: Kind
    name: str | None
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table; `name` has its schema in front where that is not the default one."""

    name: str
    columns: tuple[Column, ...]
    rules: frozenset[Rule]

    @property
    def size(self) -> int:
        """How many things there are to say of it."""
        return 1 + len(self.columns) + len(self.rules)


Snapshot = Mapping[str, Table]


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same, in words. `harmless`: nothing that runs on the one schema fails on the other."""

    table: str
    text: str
    harmless: bool = False
    weight: int = 1
    """How far apart it sets the two: a table counts for all that is in it."""


def snapshot(
    connection: Connection,
    dialect: Dialect,
    *,
    ignore: Collection[str] = (),
) -> Snapshot:
    """Return all tables of the connected database, but for those named in `ignore`. Reads only."""
    inspector = sa.inspect(connection)
    tables: dict[str, Table] = {}
    unseen_indexes = dialect.unseen_indexes(connection)
    for schema in dialect.schemas(connection):
        with reflecting():
            told = _tell(inspector, schema)
        for key, columns in told["columns"].items():
            name = key[1] if key[0] is None else f"{key[0]}.{key[1]}"
            if name not in ignore:
                found = tuple(_column(column, connection.dialect) for column in columns)
                unseen = (Rule("index", index, plain(text) or "") for index, text in unseen_indexes.get(key[1], ()))
                tables[name] = Table(name, found, frozenset([*_rules(key, told), *unseen]))
    return tables


def compare(found: Snapshot, wanted: Snapshot, *, known: Collection[str] = ()) -> tuple[Difference, ...]:
    """Return what separates the schema that was found from the one that is wanted.

    Extra tables do not count, except those in `known`: tables that the history makes at another revision.
    """
    differences = [
        Difference(name, f"the table {name} is there and should not be", weight=found[name].size)
        for name in found
        if name in known and name not in wanted
    ]
    for name, table in wanted.items():
        if name in found:
            differences += _columns(found[name], table)
            differences += _different_rules(found[name], table)
        else:
            differences.append(Difference(name, f"the table {name} is missing", weight=table.size))
    return tuple(differences)


@contextmanager
def reflecting() -> Iterator[None]:
    """Keep SQLAlchemy from warning of what it reads in part: indexes on expressions are read apart, odd types stay what they were told."""
    with warnings.catch_warnings():
        for text in (
            "Skipped unsupported",
            "Could not instantiate",
            "Did not recognize",
            "Can't validate",
            ".*expression-based",
        ):
            warnings.filterwarnings("ignore", text, sa.exc.SAWarning)
        yield


def plain(expression: str | None) -> str | None:
    """Return an SQL expression without its spelling: case, white space, quotes around names, parentheses that do nothing.

    Casts to text as well: PostgreSQL tells them in another way each time that it is told what it told.
    """
    if expression is None:
        return None
    uncast = "".join(p if p.startswith("'") else _TEXT_CAST.sub("", p) for p in _QUOTED.split(expression))
    parts = _QUOTED.split(_ALONE.sub(r"\1\2", uncast))
    text = "".join(p if p.startswith("'") else re.sub(r'[\s"`\[\]]+', " ", p).lower() for p in parts)
    text = re.sub(r"\s*([(),=<>!|+*/-]+)\s*", r"\1", text).strip()
    before = ""
    while before != text:
        before, text = text, _ALONE.sub(r"\1\2", _single(text))
    return text


def _tell(inspector: sa.Inspector, schema: str | None) -> dict[str, Any]:
    return {
        "columns": inspector.get_multi_columns(schema),
        "primary key": inspector.get_multi_pk_constraint(schema),
        "unique": inspector.get_multi_unique_constraints(schema),
        "foreign key": inspector.get_multi_foreign_keys(schema),
        "check": inspector.get_multi_check_constraints(schema),
        "index": inspector.get_multi_indexes(schema),
    }


def _column(told: Mapping[str, Any], dialect: sa.Dialect) -> Column:
    extra = "".join(f" {word} {told[word]}" for word in ("computed", "identity") if told.get(word))
    return Column(told["name"], _type(told["type"], dialect), told["nullable"], told["default"], extra)


def _type(told: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> str:
    if isinstance(told, sa.Enum):
        return f"ENUM {told.name} ({', '.join(told.enums)})"
    try:
        return told.compile(dialect)
    except CompileError:  # a type that the server has and SQLAlchemy does not know
        return repr(told)


def _rules(key: Any, told: Mapping[str, Any]) -> Iterator[Rule]:
    primary = told["primary key"].get(key)
    if primary and primary["constrained_columns"]:
        yield Rule("primary key", primary["name"], _names(primary["constrained_columns"]))
    for unique in told["unique"].get(key, ()):
        yield Rule("unique", unique["name"], _names(unique["column_names"]))
    for foreign in told["foreign key"].get(key, ()):
        target = ".".join(filter(None, (foreign["referred_schema"], foreign["referred_table"])))
        options = "".join(f" {name} {value}" for name, value in sorted(foreign["options"].items()) if value)
        columns = f"{_names(foreign['constrained_columns'])} to {target} {_names(foreign['referred_columns'])}"
        yield Rule("foreign key", foreign["name"], columns + options)
    for check in told["check"].get(key, ()):
        trusted = "" if not check.get("dialect_options", {}).get("not_valid") else " not valid"
        yield Rule("check", check["name"], f"{plain(check['sqltext'])}{trusted}")
    for index in told["index"].get(key, ()):
        if not index.get("duplicates_constraint"):
            yield Rule("index", index["name"], _index(index))


def _index(told: Mapping[str, Any]) -> str:
    columns = [plain(text) or "" for text in told.get("expressions", told["column_names"])]
    order = {name: " ".join(words) for name, words in told.get("column_sorting", {}).items()}
    parts = ", ".join(f"{name} {order[name]}" if name in order else name for name in columns)
    options = {name: value for name, value in told.get("dialect_options", {}).items() if str(value) not in NOTHING}
    words = "".join(f" {name.partition('_')[2]} {plain(str(value))}" for name, value in sorted(options.items()))
    return f"{'unique ' if told['unique'] else ''}({parts}){words}"


def _columns(found: Table, wanted: Table) -> Iterator[Difference]:
    name = wanted.name
    have = {column.name: column for column in found.columns}
    for column in wanted.columns:
        if column.name not in have:
            yield Difference(name, f"the column {name}.{column.name} ({column.type}) is missing")
        else:
            yield from _column_differences(name, have.pop(column.name), column)
    for column in have.values():
        yield Difference(name, f"the column {name}.{column.name} ({column.type}) is there and should not be")
    common = [c.name for c in wanted.columns if any(c.name == f.name for f in found.columns)]
    if [c.name for c in found.columns if c.name in common] != common:
        yield Difference(name, f"the columns of {name} stand in another order", harmless=True)


def _column_differences(table: str, found: Column, wanted: Column) -> Iterator[Difference]:
    where = f"{table}.{wanted.name}"
    if found.type != wanted.type:
        sizes = [_SIZED.fullmatch(text) for text in (found.type, wanted.type)]
        longer = all(sizes) and int(sizes[0][1]) > int(sizes[1][1])  # type: ignore[index]
        yield Difference(table, f"{where} is {found.type} and should be {wanted.type}", harmless=longer)
    if found.nullable != wanted.nullable:
        words = ("NULL", "NOT NULL") if found.nullable else ("NOT NULL", "NULL")
        yield Difference(table, f"{where} is {words[0]} and should be {words[1]}")
    if found.default != wanted.default:
        same = plain(found.default) == plain(wanted.default)
        text = f"the default of {where} is {found.default or 'none'} and should be {wanted.default or 'none'}"
        yield Difference(table, text, harmless=same)
    if found.extra != wanted.extra:
        yield Difference(table, f"{where} is generated as{found.extra or ' nothing'}, and should be as{wanted.extra}")


def _different_rules(found: Table, wanted: Table) -> Iterator[Difference]:
    extra = sorted(found.rules - wanted.rules, key=lambda rule: (rule.kind, rule.meaning, rule.name or ""))
    for rule in sorted(wanted.rules - found.rules, key=lambda rule: (rule.kind, rule.meaning, rule.name or "")):
        twin = next((e for e in extra if (e.kind, e.meaning) == (rule.kind, rule.meaning)), None)
        what = f"{rule.kind} {rule.name or 'without a name'} on {wanted.name}: {rule.meaning}"
        if twin is None:
            yield Difference(wanted.name, f"the {what} is missing")
        else:
            extra.remove(twin)
            text = f"the {what} is named {twin.name or 'nothing'}"
            yield Difference(wanted.name, text, harmless=rule.kind == "index")
    for rule in extra:
        what = f"{rule.kind} {rule.name or 'without a name'} on {wanted.name}: {rule.meaning}"
        yield Difference(wanted.name, f"the {what} is there and should not be")


def _names(columns: Collection[str]) -> str:
    return f"({', '.join(columns)})"


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
