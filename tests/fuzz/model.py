"""What a database should hold, worked out in Python: no SQL, no reflection, none of the engine's code."""

import copy
from dataclasses import dataclass, field
from typing import Any

Value = Any


@dataclass(frozen=True)
class Kind:
    """A column's type: how a revision writes it, and a few of its values."""

    source: str
    values: tuple[Value, ...]
    wider: tuple[str, ...] = ()
    """The kinds that hold each of its values as they are."""


KINDS = {
    "int": Kind("sa.Integer()", (0, 1, -7, 2147483647), wider=("big",)),
    "big": Kind("sa.BigInteger()", (0, 2, -(2**63), 2**63 - 1)),
    "short": Kind("sa.String(20)", ("", "a", "it's", "1e5", "007", "ÄÖ 💡"), wider=("long", "text")),
    "long": Kind("sa.String(200)", ("", "b", "2024-05-06", "%s :x ; --"), wider=("text",)),
    "text": Kind("sa.Text()", ("", "c", "true", '{"a": 1}', "line\nline")),
    "bool": Kind("sa.Boolean()", (True, False)),
    "number": Kind("sa.Float()", (0.5, -2.25, 1e10)),
}


@dataclass(frozen=True)
class Column:
    """One column; `default` is a server default, None for none."""

    name: str
    kind: str
    nullable: bool = True
    default: str | None = None

    @property
    def filling(self) -> Value:
        """What the rows that are there already get."""
        return int(self.default) if self.default is not None and self.kind in ("int", "big") else self.default


@dataclass
class Table:
    """One table. Every one has the primary key `id`, which is not among `columns`."""

    columns: dict[str, Column] = field(default_factory=dict)
    uniques: dict[str, tuple[str, ...]] = field(default_factory=dict)
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parents: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Foreign keys by name: a column of this table, and the table whose `id` it names."""
    rows: list[dict[str, Value]] = field(default_factory=list)

    def users(self, column: str) -> list[str]:
        """The constraints and indexes that have this column."""
        named = {**self.uniques, **self.indexes}
        return [name for name, columns in named.items() if column in columns] + [
            name for name, (own, _) in self.parents.items() if own == column
        ]

    def values(self, column: str) -> list[Value]:
        """What the column holds, row by row."""
        return [row[column] for row in self.rows]

    def rename_column(self, old: str, new: str) -> None:
        """Rename it everywhere in this table."""
        first = self.columns[old]
        self.columns = {
            new if name == old else name: Column(new, first.kind, first.nullable, first.default)
            if name == old
            else column
            for name, column in self.columns.items()
        }
        for named in (self.uniques, self.indexes):
            for name, columns in named.items():
                named[name] = tuple(new if column == old else column for column in columns)
        self.parents = {name: (new if own == old else own, parent) for name, (own, parent) in self.parents.items()}
        self.rows = [{new if name == old else name: value for name, value in row.items()} for row in self.rows]


@dataclass
class Database:
    """All tables by name."""

    tables: dict[str, Table] = field(default_factory=dict)
    made: int = 0
    """How many names were given out, so that none comes twice."""

    def copy(self) -> "Database":
        """The same, to be changed on its own."""
        return copy.deepcopy(self)

    def name(self, prefix: str) -> str:
        """A new name."""
        self.made += 1
        return f"{prefix}{self.made}"

    def children(self, table: str) -> list[str]:
        """The tables that have a foreign key to this one, itself included."""
        return [
            name for name, other in self.tables.items() if any(parent == table for _, parent in other.parents.values())
        ]
