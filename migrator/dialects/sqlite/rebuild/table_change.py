"""One table's change in batch mode: done directly, or by a new table in its place, with everything that depended on the old one."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations.batch import ApplyBatchImpl
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import NullType, UserDefinedType

from migrator.alembic_private import comes_with_a_column, unchanged_table
from migrator.dialects.sqlite import disk_space
from migrator.dialects.sqlite.rebuild import leftovers
from migrator.dialects.sqlite.rebuild.dependents import Dependent, on_table
from migrator.dialects.sqlite.rebuild.merge import Merge
from migrator.dialects.sqlite.rebuild.step import RebuildStep
from migrator.dialects.sqlite.sql.create_table import Definition, parse
from migrator.dialects.sqlite.sql.tokens import quoted, same
from migrator.errors import error

_NOT_A_REFUSAL = ("locked", "disk", "full", "interrupted")


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


class TableChange:
    """What a batch does to one table. `done` once SQLite has done it directly; else `create()`, the copy, `put_back()`.

    Everything happens in the step's transaction.
    """

    def __init__(self, impl: SQLiteImpl, step: RebuildStep, batch: ApplyBatchImpl) -> None:
        """Take from the batch what the engine does itself. Reads only. Raises StepFailed "table-sql-unreadable"."""
        assert impl.connection is not None
        assert batch.new_table is not None
        self.impl, self.step, self.connection, self._batch = impl, step, impl.connection, batch
        self.old_table, self.new_table, self.new_name = batch.table, batch.new_table, batch.temp_table_name
        self.schema, self.name = batch.table.schema or "main", batch.table.name
        self.done = False
        sql = self._ask(
            "SELECT sql FROM {schema}.sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE", self.name
        )
        try:
            old = parse(sql[0][0] or "")
        except ValueError as cause:
            raise error("table-sql-unreadable", table=self.name, reason=cause) from cause
        self._renames = list(self._take_renames())
        self._dependents = [
            found for found in on_table(self.connection, self.schema, self.name) if not self._is_dropped(found)
        ]
        known = {dependent.name for dependent in self._dependents}
        self._indexes = [
            index for index in batch.indexes.values() if index.name not in known and not comes_with_a_column(index)
        ]
        self._indexes += batch.new_indexes.values()
        batch.indexes, batch.new_indexes = {}, {}
        self.merge = self._merge(old)
        # A generated column has no value that could be copied.
        for name, column in parse(self.text).columns.items():
            if column.of("GENERATED"):
                next((t for n, t in batch.column_transfers.items() if same(n, name)), {}).pop("expr", None)

    @property
    def text(self) -> str:
        """The SQL that makes the new table."""
        where = f"{quoted(self.schema)}." if self.schema != "main" else ""
        options = ", ".join(self.merge.options)
        return f"CREATE TABLE {where}{quoted(self.new_name)} ({','.join(self.merge.items)}\n) {options}".rstrip()

    def _merge(self, old: Definition) -> Merge:
        batch = self._batch
        merge = Merge(
            table=self.name,
            old=old,
            base=self._compiled(unchanged_table(batch, self.impl)),
            new=self._compiled(self.new_table),
            standing=frozenset(str(name) for name in batch.named_constraints),
            accepted=self.step.accepted,
            # Alembic puts a new column after one that the same batch drops; only a column put before another is an order asked for.
            arranges=bool(batch.partial_reordering)
            or any(left not in batch.table.c for left, _ in batch.add_col_ordering),
            restates_checks=any(isinstance(part, sa.CheckConstraint) for part in batch.table_args),
        ).run()
        made = {clause.name for _, clause in merge.new.every()}
        before = {str(constraint.name) for constraint in batch.table.constraints}
        lacking = [name for name in batch.named_constraints if str(name) not in made and str(name) not in before]
        merge.lost += [
            f"{self.name}: the new constraint {name}, which names a column that is not there" for name in lacking
        ]
        gone = [column.name for column in merge.removed]
        merge.lost += [index.label for index in self._dependents if index.kind == "index" and index.names(gone)]
        self._dependents = [kept for kept in self._dependents if kept.label not in self.step.accepted]
        return merge

    def _compiled(self, table: sa.Table) -> Definition:
        for column in table.columns:
            if isinstance(column.type, NullType):
                column.type = Untyped()
        return parse(str(sa.schema.CreateTable(table).compile(dialect=self.impl.dialect)).strip())

    def _take_renames(self) -> Iterator[Rename]:
        """Take the new names out of the batch, because SQLite itself renames a column everywhere: in CHECKs, triggers and views."""
        for name, transfer in self._batch.column_transfers.items():
            if "name" in transfer:
                column = self._batch.columns[name]
                yield Rename(name, column.name)
                column.name = name

    def _is_dropped(self, dependent: Dependent) -> bool:
        reflected = {index.name for index in self._batch.table.indexes}
        name = dependent.name
        return dependent.kind == "index" and name in reflected and name not in self._batch.indexes

    def directly(self) -> bool:
        """Change the table without a new one, and return whether SQLite could. Nothing is left of a try that it refuses."""
        merge = self.merge
        if merge.lost or not merge.direct or not (merge.removed or merge.added or self._renames):
            return False
        where = f"ALTER TABLE {quoted(self.schema)}.{quoted(self.name)}"
        kept = {dependent.name for dependent in self._dependents}
        self._run("SAVEPOINT migrator_direct")
        try:
            for dependent in on_table(self.connection, self.schema, self.name):
                if dependent.name not in kept:
                    dependent.drop(self.connection)
            for column in merge.removed:
                self._run(f"{where} DROP COLUMN {quoted(column.name)}")
            for column in merge.added:
                self._run(f"{where} ADD COLUMN {column.text.strip()}")
            self.done = True
        except OperationalError as cause:
            if any(word in str(cause.orig) for word in _NOT_A_REFUSAL):
                raise
            self._run("ROLLBACK TO migrator_direct")
        self._run("RELEASE migrator_direct")
        return self.done

    def create(self) -> None:
        """Create the empty new table, after checking that nothing is lost, that foreign keys are watched, and that the disk has space.

        Raises StepFailed "rebuild-loses", "table-left-over" or "disk-too-small", before anything is changed.
        """
        self.step.refuse(self.name, self.merge.lost)
        leftovers.refuse(self.connection, self.schema, self.new_name, self.name)
        disk_space.check(self.connection, self.schema, self.name)
        self._run("PRAGMA foreign_keys = OFF")  # an autocommit_block() may have had them switched on
        self._watch_keys()
        gone = tuple(column.name for column in self.merge.removed)
        self.step.doubt(self.connection, self.schema, self.name, gone)
        self._saved = {name: self._rows(name) for name in ("sqlite_sequence", "sqlite_stat1", "sqlite_stat4")}
        self.step.keys.pause()
        self._run(self.text)

    def _watch_keys(self) -> None:
        """Note the keys that the rebuild may break: copying every row breaks none, unless a key is new or its columns are converted."""
        if self.schema != "main":
            return
        keys, merge = self.step.keys, self.merge
        changed = merge.converted | {column.key for column in merge.removed} | self._cast()
        concerned = {key.child for key in keys.keys if key.child == self.name.casefold() and key.columns & changed}
        concerned |= {key.child for key in keys.keys if key.parent == self.name.casefold() and key.to & changed}
        if merge.new_keys:
            concerned.add(self.name)
        if merge.keys_lost or self._may_skip_rows:
            concerned |= keys.children(self.name)
        keys.concern(concerned)

    def _cast(self) -> set[str]:
        transfers = self._batch.column_transfers
        return {name.casefold() for name, transfer in transfers.items() if isinstance(transfer.get("expr"), sa.Cast)}

    @property
    def _may_skip_rows(self) -> bool:
        return "CONFLICT" in self.text.upper()

    def check_copy(self) -> None:
        """Count the rows if an ON CONFLICT could have left some out; else a copy is whole, or an error. Raises StepFailed."""
        if self._may_skip_rows:
            before, after = (
                self._ask(f"SELECT count(*) FROM {{schema}}.{quoted(n)}")[0][0] for n in (self.name, self.new_name)
            )
            if before != after:
                self.step.refuse(self.name, [f"{self.name}: {before - after} of {before} rows"])

    def put_back(self) -> None:
        """Create the indexes and triggers again from their own text, and restore SQLite's counter and statistics of the table."""
        self.step.keys.resume()
        for dependent in self._dependents:
            dependent.create(self.connection)
        self.step.put_back += self._dependents
        where = quoted(self.schema)
        key = parse(self.text).primary_key
        for _, seq in self._saved["sqlite_sequence"] if key and key[1].says("AUTOINCREMENT") else ():
            if not self._ask("SELECT 1 FROM {schema}.sqlite_sequence WHERE name = ?", self.name):
                self._run(f"INSERT INTO {where}.sqlite_sequence VALUES (?, ?)", self.name, seq)
            self._run(f"UPDATE {where}.sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", seq, self.name)
        for name in ("sqlite_stat1", "sqlite_stat4"):
            for row in self._saved[name]:
                self._run(f"INSERT INTO {where}.{name} VALUES ({', '.join('?' * len(row))})", *row)

    def finish(self) -> None:
        """Create the batch's own indexes and rename its columns; an index may be on either name."""
        columns = {row[1].casefold() for row in self._ask(f"PRAGMA {{schema}}.table_xinfo({quoted(self.name)})")}
        later = [
            index for index in self._indexes if not {column.name.casefold() for column in index.columns} <= columns
        ]
        for index in self._indexes:
            if index not in later:
                self.impl.create_index(index)
        if {rename.new.casefold() for rename in self._renames} & columns:  # two columns that change places
            aside = [Rename(old, f"_migrator_{at}") for at, (old, _) in enumerate(self._renames)]
            self._rename(aside)
            self._renames = [Rename(name, new) for (_, name), (_, new) in zip(aside, self._renames, strict=True)]
        self._rename(self._renames)
        for index in later:
            self.impl.create_index(index)

    def _rename(self, renames: list[Rename]) -> None:
        for old, new in renames:
            self._run(
                f"ALTER TABLE {quoted(self.schema)}.{quoted(self.name)} RENAME COLUMN {quoted(old)} TO {quoted(new)}"
            )

    def _rows(self, table: str) -> list[Any]:
        if not self._ask("SELECT 1 FROM {schema}.sqlite_master WHERE name = ?", table):
            return []
        column = "name" if table == "sqlite_sequence" else "tbl"
        return self._ask(f"SELECT * FROM {{schema}}.{table} WHERE {column} = ? COLLATE NOCASE", self.name)

    def _ask(self, question: str, *values: object) -> list[Any]:
        return list(self.connection.exec_driver_sql(question.replace("{schema}", quoted(self.schema)), values).all())

    def _run(self, statement: str, *values: object) -> None:
        self.connection.exec_driver_sql(statement, values)
