"""The three definitions of a table that a batch changes, and what of the batch Alembic or reflection leave out or misread."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic.operations.batch import ApplyBatchImpl
from sqlalchemy.types import NullType, UserDefinedType

from migrator.dialects.sqlite.rebuild.merge import Merge
from migrator.dialects.sqlite.rebuild.renames import before_renames
from migrator.dialects.sqlite.sql.create_table import Clause, Definition, parse
from migrator.dialects.sqlite.sql.tokens import folded


class Untyped(UserDefinedType[Any]):
    """A column without a declared type, for which SQLAlchemy has no DDL."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return what follows the column's name, as SQLAlchemy asks for it."""
        return ""


class Rename(NamedTuple):
    """A column's name before and after."""

    old: str
    new: str


def correct_generated(batch: ApplyBatchImpl, old: Definition) -> None:
    """Give generated columns that were reflected their own expressions: of several in a line, reflection takes all that follows."""
    assert batch.new_table is not None
    reflected = {c.name: str(c.computed.sqltext) for c in batch.table.c if c.computed is not None}
    for column in (*batch.table.c, *batch.new_table.c):
        stored, computed = old.columns.get(folded(column.name)), column.computed
        clause = stored and stored.of("GENERATED")
        if clause and computed is not None and str(computed.sqltext) == reflected.get(column.name):
            computed.sqltext = sa.literal_column(clause.inner)


class Definitions:
    """The old text of a table, and how Alembic writes it unchanged and changed by the batch, whose columns have their old names."""

    def __init__(self, batch: ApplyBatchImpl, dialect: sa.Dialect, old: Definition, unchanged: sa.Table) -> None:
        """Read all three. Sends nothing."""
        assert batch.new_table is not None
        self._batch, self._dialect, self._old = batch, dialect, old
        self._base, self._new = self._written(unchanged), self._written(batch.new_table)

    def merge(self, renames: Sequence[Rename], accepted: frozenset[str], meant: frozenset[str]) -> Merge:
        """Return what becomes of the table. Sends nothing."""
        batch, old, new = self._batch, self._old, self._new
        anew = {folded(c.name) for c in batch.table.c if "expr" not in batch.column_transfers.get(c.name, ("expr",))}
        stay = old.columns.keys() & new.columns.keys()
        old_names = {folded(rename.new): rename.old for rename in renames if folded(rename.new) not in stay}
        extra, lacking = self._left_out(new.columns.keys() | old_names.keys())
        parts = (*batch.named_constraints.values(), *batch.table_args)
        merge = Merge(
            table=batch.table.name,
            old=old,
            base=self._base,
            new=before_renames(new, self._base, extra, old_names, batch.table.name),
            standing=frozenset(str(name) for name in batch.named_constraints),
            accepted=accepted,
            meant=meant,
            # Alembic puts a new column after one that the same batch drops; only a column put before another is an order asked for.
            arranges=bool(batch.partial_reordering)
            or any(left not in batch.table.c for left, _ in batch.add_col_ordering),
            restates_checks=any(isinstance(part, sa.CheckConstraint) for part in batch.table_args),
            anew=frozenset(anew),
            made=frozenset(
                str(n) for n, part in batch.named_constraints.items() if part not in batch.table.constraints
            ),
            makes_key=any(isinstance(p, sa.PrimaryKeyConstraint) and p not in batch.table.constraints for p in parts),
        ).run()
        merge.lost += [
            f"{batch.table.name}: the new constraint {name}, which names a column that is not there" for name in lacking
        ]
        return merge

    def _left_out(self, known: set[str]) -> tuple[list[Clause], list[str]]:
        """Return the constraints that Alembic leaves out, because the batch renames a column of theirs, and the names of hopeless ones."""
        made = {clause.name for _, clause in self._new.every()}
        clauses, names = [], []
        for name, constraint in self._batch.named_constraints.items():
            if str(name) in made or constraint in self._batch.table.constraints:
                continue
            clause = next(clause for _, clause in self._written(constraint.table).every() if clause.name == str(name))
            if set(clause.columns) <= known:
                clauses.append(clause)
            else:
                names.append(str(name))
        return clauses, names

    def _written(self, table: sa.Table) -> Definition:
        for column in table.columns:
            if isinstance(column.type, NullType):
                column.type = Untyped()
        return parse(str(sa.schema.CreateTable(table).compile(dialect=self._dialect)).strip())
