"""What a database's schema says, as plain data.

Read through SQLAlchemy's reflection, so that the same kind of server tells both sides of a comparison: types as the database writes them,
defaults and expressions without their spelling, constraints and indexes by what they do.
"""

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import CompileError

from migrator.dialects.dialect import Dialect
from migrator.schema.expression import plain

Kind = Literal["primary key", "unique", "foreign key", "check", "index"]
NOTHING = ("", "None", "False", "[]", "{}")
"""How a reflected option that is not set prints."""


@dataclass(frozen=True)
class Column:
    """`type` as the database writes it, `default` as the server tells it, `extra` for generated and identity columns."""

    name: str
    type: str
    nullable: bool
    default: str | None
    meaning: str | None = None
    """The default without its spelling."""
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


def snapshot(
    connection: Connection,
    dialect: Dialect,
    *,
    ignore: Collection[str] = (),
) -> Snapshot:
    """Return all tables of the connected database, except those named in `ignore`. Reads only."""
    inspector = sa.inspect(connection)
    tables: dict[str, Table] = {}
    unseen_indexes = dialect.unseen_indexes(connection)
    for schema in dialect.schemas(connection):
        with reflecting():
            told = _tell(inspector, schema)
        for key, columns in told["columns"].items():
            name = key[1] if key[0] is None else f"{key[0]}.{key[1]}"
            if name not in ignore:
                found = tuple(_column(column, connection.dialect, dialect) for column in columns)
                unseen = (
                    Rule("index", i.name, plain(i.definition, dialect) or "") for i in unseen_indexes.get(key[1], ())
                )
                tables[name] = Table(name, found, frozenset([*_rules(key, told, dialect), *unseen]))
    return tables


@contextmanager
def reflecting() -> Iterator[None]:
    """Keep SQLAlchemy from warning of what it reads in part: indexes on expressions are read separately, odd types keep their names."""
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


def _tell(inspector: sa.Inspector, schema: str | None) -> dict[str, Any]:
    return {
        "columns": inspector.get_multi_columns(schema),
        "primary key": inspector.get_multi_pk_constraint(schema),
        "unique": inspector.get_multi_unique_constraints(schema),
        "foreign key": inspector.get_multi_foreign_keys(schema),
        "check": inspector.get_multi_check_constraints(schema),
        "index": inspector.get_multi_indexes(schema),
    }


def _column(told: Mapping[str, Any], sqlalchemys: sa.Dialect, dialect: Dialect) -> Column:
    extra = "".join(f" {word} {told[word]}" for word in ("computed", "identity") if told.get(word))
    kind, default = _type(told["type"], sqlalchemys), told["default"]
    return Column(told["name"], kind, told["nullable"], default, plain(default, dialect), extra)


def _type(told: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> str:
    if isinstance(told, sa.Enum):
        return f"ENUM {told.name} ({', '.join(told.enums)})"
    try:
        return told.compile(dialect)
    except CompileError:  # a type that the server has and SQLAlchemy does not know
        return repr(told)


def _rules(key: Any, told: Mapping[str, Any], dialect: Dialect) -> Iterator[Rule]:
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
        yield Rule("check", check["name"], f"{plain(check['sqltext'], dialect)}{trusted}")
    for index in told["index"].get(key, ()):
        if not index.get("duplicates_constraint"):
            yield Rule("index", index["name"], _index(index, dialect))


def _index(told: Mapping[str, Any], dialect: Dialect) -> str:
    columns = [plain(text, dialect) or "" for text in told.get("expressions", told["column_names"])]
    order = {name: " ".join(words) for name, words in told.get("column_sorting", {}).items()}
    parts = ", ".join(f"{name} {order[name]}" if name in order else name for name in columns)
    options = {name: value for name, value in told.get("dialect_options", {}).items() if str(value) not in NOTHING}
    words = "".join(
        f" {name.partition('_')[2]} {plain(str(value), dialect)}" for name, value in sorted(options.items())
    )
    return f"{'unique ' if told['unique'] else ''}({parts}){words}"


def _names(columns: Collection[str]) -> str:
    return f"({', '.join(columns)})"
