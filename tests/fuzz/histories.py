"""Random histories of legal operations, with what the database holds after each revision, on the way up and on the way down."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.fuzz import keys, operations as ops
from tests.fuzz.model import KINDS, Column, Database
from tests.fuzz.operations import Operation

Draw = Callable[[st.SearchStrategy], object]  # type: ignore[type-arg]


@dataclass(frozen=True)
class Revision:
    """The bodies of one revision file, and what holds after each."""

    up: tuple[Operation, ...]
    down: tuple[Operation, ...]
    after_up: Database
    after_down: Database

    @property
    def source(self) -> str:
        """The text of both functions."""
        return f"def upgrade():\n{_body(self.up)}\n\n\ndef downgrade():\n{_body(self.down)}\n"


@st.composite
def histories(draw: st.DrawFn, *, most: int = 7) -> list[Revision]:
    """A history of up to `most` revisions, of up to four operations each."""
    database = Database()
    ups, inverses, states = [], [], []
    for number in range(draw(st.integers(2, most))):
        done: list[Operation] = []
        back: list[Operation] = []
        for _ in range(draw(st.integers(1, 4))):
            found = _create(draw, database) if number == 0 and not done else _any(draw, database)
            if found is not None and found.is_legal(database):
                inverse = found.inverse(database)
                back = [inverse, *back] if inverse is not None else back
                found.apply(database)
                done.append(found)
        ups.append(tuple(done))
        inverses.append(back)
        states.append(database.copy())
    revisions = []
    for up, back, state in zip(reversed(ups), reversed(inverses), reversed(states), strict=True):
        down = []
        for inverse in back:
            if inverse.is_legal(database):
                inverse.apply(database)
                down.append(inverse)
        revisions.append(Revision(up, tuple(down), state, database.copy()))
    return revisions[::-1]


def _create(draw: st.DrawFn, database: Database) -> Operation:
    columns = tuple(_column(draw, database) for _ in range(draw(st.integers(1, 4))))
    return ops.CreateTable(database.name("t"), columns)


def _any(draw: st.DrawFn, database: Database) -> Operation | None:
    if not database.tables:
        return _create(draw, database)
    table = draw(st.sampled_from(sorted(database.tables)))
    make = draw(st.sampled_from(_MAKERS))
    return make(draw, database, table)


def _column(draw: st.DrawFn, database: Database) -> Column:
    kind = draw(st.sampled_from(sorted(KINDS)))
    default = draw(st.sampled_from([None, "7"])) if kind in ("int", "big", "text", "short", "long") else None
    return Column(database.name("c"), kind, nullable=draw(st.booleans()), default=default)


def _some(draw: st.DrawFn, names: list[str]) -> tuple[str, ...]:
    return tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)))


def _insert(draw: st.DrawFn, database: Database, table: str) -> Operation:
    known = database.tables[table]
    row: list[tuple[str, object]] = [("id", max(known.values("id"), default=0) + draw(st.integers(1, 3)))]
    for column in known.columns.values():
        named = [parent for own, parent in known.parents.values() if own == column.name]
        values: list[object] = [*(database.tables[named[0]].values("id") if named else KINDS[column.kind].values)]
        row.append((column.name, draw(st.sampled_from([None, *values] if column.nullable or not values else values))))
    return ops.Insert(table, tuple(row))


def _change(draw: st.DrawFn, database: Database, table: str) -> Operation | None:
    columns = database.tables[table].columns
    if not columns:
        return None
    old = columns[draw(st.sampled_from(sorted(columns)))]
    name, kind, nullable, default = old.name, old.kind, old.nullable, old.default
    match draw(st.sampled_from(["name", "kind", "null", "default", "nothing", "several"])):
        case "name":
            name = database.name("c")
        case "kind":
            kind = draw(st.sampled_from([*KINDS[kind].wider, kind]))
        case "null":
            nullable = not nullable
        case "default" if kind in ("int", "big", "text", "short", "long"):
            default = "8" if default is None else None
        case "several":
            name, nullable = database.name("c"), not nullable
    recreate = draw(st.sampled_from(["auto", "auto", "always"]))
    return ops.ChangeColumn(table, old, Column(name, kind, nullable, default), recreate)


def _add_column(draw: st.DrawFn, database: Database, table: str) -> Operation:
    return ops.AddColumn(table, _column(draw, database), draw(st.booleans()))


def _add_index(draw: st.DrawFn, database: Database, table: str) -> Operation | None:
    names = sorted(database.tables[table].columns)
    way = draw(st.sampled_from(["op", "batch", "block"]))
    return keys.AddIndex(table, database.name("ix"), _some(draw, names), way) if names else None


def _add_unique(draw: st.DrawFn, database: Database, table: str) -> Operation | None:
    columns = _some(draw, [*sorted(database.tables[table].columns), "id"])
    # Of two on the same columns SQLAlchemy reflects one on SQLite, so Alembic's batch could not drop the other.
    known = {frozenset(unique) for unique in database.tables[table].uniques.values()}
    return None if frozenset(columns) in known else keys.AddUnique(table, database.name("uq"), columns)


def _add_parent(draw: st.DrawFn, database: Database, table: str) -> Operation | None:
    columns = [column.name for column in database.tables[table].columns.values() if column.kind == "int"]
    if not columns:
        return None
    column, parent = draw(st.sampled_from(columns)), draw(st.sampled_from(sorted(database.tables)))
    return keys.AddParent(table, database.name("fk"), column, parent)


def _drop(kind: type[ops.InTable], part: str) -> Callable[[st.DrawFn, Database, str], Operation | None]:
    def make(draw: st.DrawFn, database: Database, table: str) -> Operation | None:
        names = sorted(getattr(database.tables[table], part))
        return kind(table, draw(st.sampled_from(names))) if names else None  # type: ignore[call-arg]

    return make


def _delete(draw: st.DrawFn, database: Database, table: str) -> Operation | None:
    ids = database.tables[table].values("id")
    return ops.Delete(table, draw(st.sampled_from(ids))) if ids else None


_MAKERS: tuple[Callable[[st.DrawFn, Database, str], Operation | None], ...] = (
    *(_insert,) * 4,
    *(_change,) * 4,
    *(_add_column,) * 2,
    _add_index,
    _add_unique,
    *(_add_parent,) * 2,
    _drop(ops.DropColumn, "columns"),
    _drop(keys.DropIndex, "indexes"),
    _drop(keys.DropUnique, "uniques"),
    _drop(keys.DropParent, "parents"),
    _delete,
    lambda draw, database, table: _create(draw, database),
    lambda draw, database, table: ops.RenameTable(table, database.name("t")),
    lambda draw, database, table: ops.DropTable(table),
)


def _body(done: tuple[Operation, ...]) -> str:
    lines = [line for operation in done for line in operation.source().splitlines()] or ["pass"]
    return "\n".join(f"    {line}" for line in lines)
