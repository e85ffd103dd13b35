"""What a schema says, by meaning: the same words for a SQLite database and a PostgreSQL database that agree."""

import re
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, Numeric, String, inspect, text, types as sa_types
from sqlalchemy.exc import SAWarning

from tests.kit import BOOKKEEPING


@dataclass(frozen=True)
class Table:
    """One table. Columns, keys and the rest are compared as sets: their order says nothing."""

    columns: dict[str, tuple[str, bool, str | None]]
    """By name: the type, whether it may be NULL, the server's default."""
    primary_key: tuple[str, tuple[str, ...]]
    foreign_keys: dict[str, tuple[tuple[str, ...], str, tuple[str, ...], str]]
    """By name: the columns, the table and the columns they refer to, what happens on delete."""
    uniques: dict[str, tuple[str, ...]]
    indexes: dict[str, tuple[tuple[str, ...], bool]]
    """By name: the columns or expressions, whether it is unique."""
    checks: dict[str, str]

    def names(self) -> list[str]:
        return [self.primary_key[0], *self.foreign_keys, *self.uniques, *self.indexes, *self.checks]


def read_shape(connection: Connection, *, ignore: Collection[str] = BOOKKEEPING) -> dict[str, Table]:
    """Read every table of the default schema. Reads only."""
    inspector = inspect(connection)
    with warnings.catch_warnings():
        # SQLAlchemy passes over an index on an expression on SQLite, and says so; `_indexes` reads it itself.
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index", SAWarning)
        # All tables at a time: PostgreSQL answers as fast as for one.
        parts = {
            part: {name: found for (_, name), found in getattr(inspector, f"get_multi_{part}")().items()}
            for part in (
                "columns",
                "pk_constraint",
                "foreign_keys",
                "unique_constraints",
                "indexes",
                "check_constraints",
            )
        }
        return {
            name: _table(connection, name, {part: found[name] for part, found in parts.items()})
            for name in parts["columns"]
            if name not in ignore
        }


def differences(one: dict[str, Table], other: dict[str, Table]) -> list[str]:
    """Return what only one of the two says, a line each; empty when they say the same."""
    lines, others = set(lines_of(one)), set(lines_of(other))
    return [f"- {line}" for line in sorted(lines - others)] + [f"+ {line}" for line in sorted(others - lines)]


def lines_of(shape: dict[str, Table]) -> Iterator[str]:
    """All that it says, a line each."""
    for table, parts in shape.items():
        yield f"{table}"
        for part, said in vars(parts).items():
            for name, meaning in said.items() if isinstance(said, dict) else [said]:
                yield f"{table} {part} {name}: {meaning}"


def _table(connection: Connection, name: str, parts: dict[str, Any]) -> Table:
    key = parts["pk_constraint"]
    return Table(
        columns={
            column["name"]: (
                _type(column["type"], connection.dialect.name),
                column["nullable"],
                _default(column["default"]),
            )
            for column in parts["columns"]
        },
        primary_key=(str(key["name"]), tuple(key["constrained_columns"])),
        foreign_keys={
            str(found["name"]): (
                tuple(found["constrained_columns"]),
                found["referred_table"],
                tuple(found["referred_columns"]),
                found["options"].get("ondelete", "NO ACTION"),
            )
            for found in parts["foreign_keys"]
        },
        uniques={str(found["name"]): tuple(found["column_names"]) for found in parts["unique_constraints"]},
        indexes=_indexes(connection, name, parts["indexes"]),
        checks={str(found["name"]): _plain(found["sqltext"]) for found in parts["check_constraints"]},
    )


def _indexes(connection: Connection, table: str, reflected: list[Any]) -> dict[str, tuple[tuple[str, ...], bool]]:
    indexes = {
        found["name"]: (
            tuple(_plain(part) for part in found.get("expressions", found["column_names"])),
            bool(found["unique"]),
        )
        for found in reflected
        if "duplicates_constraint" not in found
    }
    if connection.dialect.name == "sqlite":
        rows = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table AND sql IS NOT NULL"),
            {"table": table},
        )
        for name, sql in rows:
            if name not in indexes:
                parts = sql.partition("(")[2].rpartition(")")[0]
                indexes[name] = ((_plain(parts),), sql.upper().startswith("CREATE UNIQUE"))
    return indexes


def _type(type_: Any, dialect: str) -> str:
    if isinstance(type_, sa_types.Uuid) or (isinstance(type_, String) and type_.length == 36):
        return "guid"
    if isinstance(type_, sa_types.JSON):
        return "json"
    if isinstance(type_, sa_types.DateTime):
        # SQLite knows no time zones; on PostgreSQL a column without one would be another type.
        return "moment" if type_.timezone or dialect == "sqlite" else "moment without a time zone"
    if isinstance(type_, sa_types.Boolean):
        return "boolean"
    if isinstance(type_, sa_types.BigInteger):
        return "bigint"
    if isinstance(type_, Integer):
        return "integer"
    if isinstance(type_, sa_types.Float) or (isinstance(type_, Numeric) and not type_.asdecimal):
        return "float"
    if isinstance(type_, sa_types.Text):
        return "text"
    if isinstance(type_, String):
        return f"string({type_.length})"
    return repr(type_)


def _default(default: str | None) -> str | None:
    return None if default is None else _plain(default)


def _plain(sql: str | None) -> str:
    """Return an expression without PostgreSQL's casts, its spelling of IN and LIKE, and anybody's parentheses."""
    plain = re.sub(r"::[a-z]+( varying| precision)?(\[\])?", "", sql or "")
    plain = re.sub(r"[()]", " ", plain)
    plain = re.sub(r"= ANY\s+ARRAY\[([^]]*)\]", r"IN \1", plain).replace("~~", "LIKE")
    return re.sub(r"\s+", " ", re.sub(r"\s*,\s*", ", ", plain)).strip()
