"""What a bridge will do to the rows that are there, in words, and what they do not allow."""

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.engine import Connection

from migrator.adopt.operations import NameChecks, NameKey
from migrator.dialects.dialect import Dialect
from migrator.errors.printable import printable

_KINDS = (
    (sa.UniqueConstraint, "unique"),
    (sa.ForeignKeyConstraint, "foreign key"),
    (sa.CheckConstraint, "check"),
    (sa.Constraint, "constraint"),
)


class Words:
    """Counts the rows of the connected database. Reads only."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        """Hold them."""
        self._connection, self._dialect = connection, dialect

    def said(self, operations: Iterable[ops.MigrateOperation]) -> tuple[str, ...]:
        """Return what each operation does, with the number of rows that it concerns."""
        every = list(operations)
        new = {it.table_name for it in every if isinstance(it, ops.CreateTableOp)}
        told = (it for it in every if isinstance(it, ops.CreateTableOp) or getattr(it, "table_name", None) not in new)
        return tuple(printable(text) for each in told for text in self._said(each))

    def refused(self, operations: Iterable[ops.MigrateOperation]) -> tuple[str, ...]:
        """Return the values that an operation cannot take along, and the rows that would have none."""
        return tuple(printable(text) for each in operations for text in self._refused(each))

    def _said(self, it: Any) -> Iterator[str]:
        match it:
            case ops.CreateTableOp():
                yield f"creates the table {it.table_name}"
            case ops.AddColumnOp():
                yield f"adds the column {it.table_name}.{it.column.name} to {self._rows(it)}"
            case ops.AlterColumnOp():
                yield from self._alters(it)
            case ops.CreateIndexOp():
                yield f"creates the {'unique ' * bool(it.unique)}index {it.index_name} on {self._rows(it)} of {it.table_name}"
            case ops.DropIndexOp():
                yield f"drops the index {it.index_name} on {it.table_name}"
            case ops.DropConstraintOp():
                kind = {"foreignkey": "foreign key"}.get(str(it.constraint_type), it.constraint_type)
                yield f"drops the {kind or 'constraint'} {it.constraint_name} on {it.table_name}"
            case NameKey():
                yield f"names the primary key of {it.table_name} {it.constraint_name}"
            case ops.AddConstraintOp():
                rule = it.to_constraint()
                kind = next(word for type_, word in _KINDS if isinstance(rule, type_))
                yield f"adds the {kind} {rule.name} on {rule.table.name}, for {self._rows(it)}"
            case NameChecks():
                named = ", ".join(name for name in it.names.values() if name)
                yield f"names the checks {named} on {it.table_name}; what they say stays"
            case ops.ExecuteSQLOp():
                yield f"executes: {it.sqltext}"
            case _:
                yield f"runs {type(it).__name__}"

    def _alters(self, it: Any) -> Iterator[str]:
        where = f"{it.table_name}.{it.column_name}"
        if it.modify_type is not None:
            old, new = (self._type(type_) for type_ in (it.existing_type, it.modify_type))
            values = _many(self._count(it, _column(it).is_not(None)), "value")
            yield f"converts {values} of {where} from {old} to {new}"
        if it.modify_nullable is not None:
            yield f"makes {where} {'NULL' if it.modify_nullable else 'NOT NULL'}, in {self._rows(it)}"
        if it.modify_server_default is not False:
            yield f"changes the default of {where}; no row changes"

    def _refused(self, it: Any) -> Iterator[str]:
        if isinstance(it, ops.AddColumnOp):
            rows = self._count(it)
            if not it.column.nullable and it.column.server_default is None and rows and it.column.computed is None:
                yield f"{it.table_name}.{it.column.name} is NOT NULL without a default, and there is no value for it in {_many(rows)}"
        if isinstance(it, ops.AlterColumnOp):
            where = f"{it.table_name}.{it.column_name}"
            if it.modify_nullable is False and (nulls := self._count(it, _column(it).is_(None))):
                yield f"{where} should be NOT NULL, and is NULL in {_many(nulls)}"
            if it.modify_type is not None and it.existing_type is not None:
                types = (it.existing_type, it.modify_type)
                unfit = self._dialect.unfit(self._connection, _source(it), it.column_name, *types)
                if unfit:
                    yield f"{where} should be {self._type(it.modify_type)}: {unfit}"

    def _rows(self, it: Any) -> str:
        return _many(self._count(it))

    def _count(self, it: Any, *conditions: Any) -> int:
        asked = sa.select(sa.func.count()).select_from(_source(it)).where(*conditions)
        return self._connection.scalar(asked) or 0

    def _type(self, type_: Any) -> str:
        return "no type" if type_ is None else str(type_.compile(self._connection.dialect))


def _many(count: int, what: str = "row") -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _column(it: Any) -> Any:
    return sa.column(it.column_name)


def _source(it: Any) -> sa.TableClause:
    name = getattr(it, "source_table", None) or it.table_name
    return sa.table(name, schema=getattr(it, "schema", None) or getattr(it, "source_schema", None))
