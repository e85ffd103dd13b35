"""One table's change in batch mode: done directly, or by a new table in its place, with everything that depended on the old one."""

import logging
from collections.abc import Iterator
from typing import Any

from alembic.operations.batch import ApplyBatchImpl
from sqlalchemy.exc import OperationalError

from migrator.alembic_private import BatchImpl, comes_with_a_column, unchanged_table
from migrator.dialects.sqlite import disk_space
from migrator.dialects.sqlite.catalog import sql_texts
from migrator.dialects.sqlite.rebuild import leftovers, rows
from migrator.dialects.sqlite.rebuild.definitions import Definitions, Rename, correct_generated
from migrator.dialects.sqlite.rebuild.dependents import Dependent, on_table
from migrator.dialects.sqlite.rebuild.merge import Merge
from migrator.dialects.sqlite.rebuild.step import RebuildStep
from migrator.dialects.sqlite.rebuild.values import Kind
from migrator.dialects.sqlite.sql.create_table import Definition, parse
from migrator.dialects.sqlite.sql.tokens import folded, quoted
from migrator.errors import error

_log = logging.getLogger("migrator")
_NOT_A_REFUSAL = ("locked", "disk", "full", "interrupted")


class TableChange:
    """What a batch does to one table. `done` once SQLite has done it directly; else `create()`, `copy()`, `put_back()`.

    Everything happens in the step's transaction.
    """

    def __init__(self, impl: BatchImpl, step: RebuildStep, batch: ApplyBatchImpl) -> None:
        """Take from the batch what the engine does itself. Reads only. Raises StepFailed "not-a-table" or "table-sql-unreadable"."""
        assert impl.connection is not None
        assert batch.new_table is not None
        self.impl, self.step, self.connection, self._batch = impl, step, impl.connection, batch
        self.old_table, self.new_table, self.new_name = batch.table, batch.new_table, batch.temp_table_name
        self.schema, self.name = batch.table.schema or "main", batch.table.name
        self.done = False
        old = self._parsed()
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
        if batch.reflected:
            correct_generated(batch, old)
        self.merge = self._merge(old)
        self._rows = rows.Rows(self.connection, self.schema, *self._copied())

    def _parsed(self) -> Definition:
        found = self._ask("SELECT type, sql FROM {schema}.sqlite_master WHERE name = ? COLLATE NOCASE", self.name)
        kind = next((kind for kind, _ in found if kind in ("table", "view")), None)
        if kind != "table":
            raise error("not-a-table", table=self.name, what="does not exist" if kind is None else "is a view")
        try:
            return parse(next(sql for kind, sql in found if kind == "table") or "")
        except ValueError as cause:
            raise error("table-sql-unreadable", table=self.name, reason=cause) from cause

    def _copied(self) -> tuple[list[str], list[rows.Retyped], list[str]]:
        """Return the columns whose values are copied, which a generated one has none of, those that get another type, and those of which
        none may be NULL.
        """
        batch, merge = self._batch, self.merge
        made = parse(self.text)
        columns, required = made.columns, merge.nulls_refused(made)
        using = self.impl.conversions.pop((batch.table.schema, batch.table.name), {})
        self._declared = bool(using)
        names = [
            name
            for name, transfer in batch.column_transfers.items()
            if "expr" in transfer and not columns[folded(name)].of("GENERATED")
        ]
        retyped = []
        for name in names:
            if folded(name) in merge.retyped or name in using:
                old = Kind(batch.table.c[name].type, merge.old.columns[folded(name)].type_text, self.impl.dialect)
                new = Kind(batch.columns[name].type, columns[folded(name)].type_text, self.impl.dialect)
                retyped.append(rows.Retyped(name, old, new, using.get(name)))
                merge.converted.add(folded(name))
        return names, retyped, [name for name in names if folded(name) in required]

    @property
    def text(self) -> str:
        """The SQL that makes the new table."""
        where = f"{quoted(self.schema)}." if self.schema != "main" else ""
        options = ", ".join(self.merge.options)
        return f"CREATE TABLE {where}{quoted(self.new_name)} ({','.join(self.merge.items)}\n) {options}".rstrip()

    def _merge(self, old: Definition) -> Merge:
        definitions = Definitions(self._batch, self.impl.dialect, old, unchanged_table(self._batch, self.impl))
        merge = definitions.merge(self._renames, self.step.accepted, self.step.meant)
        gone = [column.name for column in merge.removed]
        hopeless = [index.label for index in self._dependents if index.kind == "index" and index.names(gone)]
        merge.lost += hopeless
        self._dependents = [kept for kept in self._dependents if kept.label not in self.step.meant.union(hopeless)]
        return merge

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
        if merge.lost or not merge.direct or self._declared or not (merge.removed or merge.added or self._renames):
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

        Raises StepFailed "rebuild-loses", "table-left-over", "disk-too-small", "key-has-nulls", "values-unfit" or
        "rebuild-deletes-children", before anything is changed.
        """
        self.step.refuse(self.name, self.merge.lost)
        leftovers.refuse(self.connection, self.schema, self.new_name, self.name)
        disk_space.check(self.connection, self.schema, self.name)
        self.step.refuse_unfit(self.name, *self._rows.look(self.name))
        for words in self.merge.taken_along:
            _log.warning("Dropping a column also drops the key that it is a part of, as on PostgreSQL: %s", words)
        self._switch_keys_off()
        self._watch_keys()
        if self.merge.removed or self.merge.added:
            gone = tuple(column.name for column in self.merge.removed)
            self.step.doubt(self.connection, self.schema, self.name, gone)
        self._saved = {name: self._saved_rows(name) for name in ("sqlite_sequence", "sqlite_stat1", "sqlite_stat4")}
        self.step.keys.pause()
        self._run(self.text)

    def copy(self) -> None:
        """Copy the rows into the new table. They keep their rowids, which an index of another table may refer to."""
        has_rowids = "WITHOUT ROWID" not in (*self.merge.old.options, *self.merge.options)
        own = not has_rowids or sql_texts.has_rowid_column(self._ask, self.schema, self.new_name)
        columns = (*self.merge.old.columns, *parse(self.text).columns)
        self._rows.copy(self.name, self.new_name, rowid=None if own else rows.free_rowid(columns))

    def _switch_keys_off(self) -> None:
        """Let DROP TABLE delete no row of another table. An autocommit_block() may have had foreign keys switched on."""
        self._run("PRAGMA foreign_keys = OFF")  # ignored silently inside a transaction
        if self._ask("PRAGMA foreign_keys")[0][0]:
            children = sorted(self.step.keys.children(self.name)) if self.schema == "main" else [self.name]
            if children:
                raise error("rebuild-deletes-children", table=self.name, children=children)

    def _watch_keys(self) -> None:
        """Note the keys that the rebuild may break: copying every row breaks none, unless a key is new or its columns are converted."""
        if self.schema != "main":
            return
        keys, merge = self.step.keys, self.merge
        changed = merge.converted | {column.key for column in merge.removed}
        concerned = {key.child for key in keys.keys if key.depends_on(folded(self.name), changed)}
        if merge.new_keys:
            concerned.add(self.name)
        if merge.keys_lost or self._may_skip_rows:
            concerned |= keys.children(self.name)
        keys.concern(concerned)

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
        for dependent in self._dependents:
            dependent.create(self.connection)
        self.step.keys.resume()  # what the engine creates again is not what the step creates
        self.step.note_put_back(self._dependents)
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
        columns = {folded(row[1]) for row in self._ask(f"PRAGMA {{schema}}.table_xinfo({quoted(self.name)})")}
        later = [index for index in self._indexes if not {folded(column.name) for column in index.columns} <= columns]
        for index in self._indexes:
            if index not in later:
                self.impl.create_index(index)
        if {folded(rename.new) for rename in self._renames} & columns:  # two columns that change places
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

    def _saved_rows(self, table: str) -> list[Any]:
        if not self._ask("SELECT 1 FROM {schema}.sqlite_master WHERE name = ?", table):
            return []
        column = "name" if table == "sqlite_sequence" else "tbl"
        return self._ask(f"SELECT * FROM {{schema}}.{table} WHERE {column} = ? COLLATE NOCASE", self.name)

    def _ask(self, question: str, *values: object) -> list[Any]:
        return list(self.connection.exec_driver_sql(question.replace("{schema}", quoted(self.schema)), values).all())

    def _run(self, statement: str, *values: object) -> None:
        self.connection.exec_driver_sql(statement, values)
