"""What has a name in a schema, as plain data: a table, a view, a function. Two that do the same are equal, however they were written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """`type` and `default` in the database's own words; `extra` is a collation, what it is generated from, or an identity."""

    name: str
    type: str
    nullable: bool
    default: str | None
    meaning: str | None = None
    """The default without its spelling."""
    extra: str = ""


@dataclass(frozen=True)
class Rule:
    """What belongs to a table and has no columns of its own: `kind` is "index", "check", "trigger", "policy" and so on.

    `meaning` is what it does, in words that are equal when it does the same.
    """

    kind: str
    name: str | None
    meaning: str


@dataclass(frozen=True)
class SchemaObject:
    """One object; `name` has its schema in front if that is not the default one, and a function's has the types of its arguments."""

    kind: str
    """"table", "view", "function" and so on."""
    name: str
    columns: tuple[Column, ...] = ()
    rules: frozenset[Rule] = frozenset()
    properties: frozenset[str] = frozenset()
    """What can be said of a table as a whole, such as STRICT or UNLOGGED."""
    definition: str = ""
    """What a view selects, a function does, a sequence counts."""

    @property
    def size(self) -> int:
        """How many things there are to say of it."""
        return 1 + len(self.columns) + len(self.rules)
