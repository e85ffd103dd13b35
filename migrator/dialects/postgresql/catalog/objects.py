"""Every object of a PostgreSQL database, in the words of its catalogs."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from migrator.dialects.postgresql.catalog import parts
from migrator.dialects.postgresql.catalog.queries import ALL
from migrator.dialects.questions import Questions
from migrator.dialects.schema_object import Rule, SchemaObject

NOT_COMPARED = (
    "rows",
    "owners and privileges",
    "comments",
    "storage parameters, tablespaces and how rows are stored",
    "statistics",
    "aggregates, operators, casts and base types",
    "publications, subscriptions and event triggers",
    "foreign servers and their options",
    "text search configurations",
    "the values and the cache of sequences",
)
_KINDS_OF_PARTS = ("relation", "sequence", "function", "type", "collation", "extension")
_KINDS = {"r": "table", "p": "table", "f": "table", "v": "view", "m": "materialized view", "c": "type"}
# How expressions, bounds and names are written depends on these; both sides of a comparison are read under the same.
_WRITTEN_WITH = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "quote_all_identifiers": "off",
    "search_path": sa.text("coalesce(quote_ident(current_schema()), '')"),
}
_RULES: dict[str, Callable[[str, Sequence[Any], Questions], Rule]] = {
    "constraint": parts.constraint,
    "default": parts.view_default,
    "index": parts.index,
    "trigger": parts.trigger,
    "rule": parts.rewrite_rule,
    "policy": parts.policy,
}
Row = tuple[str, str, tuple[Any, ...]]
"""What the row says, of which thing, in which words."""
Memo = dict[Any, Any]
"""What was read before, by the rows it was read from: a replay reads the same rows after each revision."""


def objects(
    connection: Connection, dialect: Questions, *, ignore: Collection[str] = (), memo: Memo | None = None
) -> dict[str, SchemaObject]:
    """Return tables, views, sequences, functions, types and extensions by name; not those in `ignore`. Reads only, in one query.

    Objects of extensions are left out, and in a scratch schema all that is not in it.
    """
    memo = {} if memo is None else memo
    rows: dict[str, list[Row]] = {}
    with _canonical(connection):
        for part, owner, name, words in connection.execute(ALL).all():
            if part in _KINDS_OF_PARTS and owner not in ignore:
                rows.setdefault(owner, [])  # all of these come first
            if owner in rows:
                rows[owner].append((part, name, tuple(words)))
    found: dict[str, SchemaObject] = {}
    for owner, said in sorted(rows.items()):
        what = (owner, tuple(said))
        if what not in memo:
            memo[what] = _object(owner, said, dialect)
        found[owner] = memo[what]
    return found


def _object(owner: str, said: Sequence[Row], dialect: Questions) -> SchemaObject:
    part, _, words = said[0]
    rules = frozenset(_RULES[each](name, rest, dialect) for each, name, rest in said if each in _RULES)
    columns = tuple(
        parts.column(name, rest, dialect)
        for _, name, rest in sorted((row for row in said if row[0] == "column"), key=_place)
    )
    if part == "relation":
        kind = _KINDS[words[0]]
        return SchemaObject(kind, owner, columns, rules, parts.properties(words), parts.view(words))
    made = {
        "sequence": parts.sequence,
        "function": parts.function,
        "type": parts.type_,
        "collation": parts.collation,
        "extension": parts.extension,
    }
    return SchemaObject(part, owner.removeprefix(f"{part} "), definition=made[part](words))


def _place(row: Row) -> str:
    return str(row[2][0])


@contextmanager
def _canonical(connection: Connection) -> Iterator[None]:
    """Have everything written in one way in the block. A rollback undoes it too, so that nothing is sent after a failure."""
    before = connection.exec_driver_sql(
        f"SELECT {', '.join(f'current_setting({name!r})' for name in _WRITTEN_WITH)}"
    ).one()
    _set(connection, _WRITTEN_WITH)
    yield
    _set(connection, {name: sa.literal(value) for name, value in zip(_WRITTEN_WITH, before, strict=True)})


def _set(connection: Connection, settings: Mapping[str, Any]) -> None:
    connection.execute(sa.select(*(sa.func.set_config(name, value, sa.false()) for name, value in settings.items())))
