"""A table rebuilt by Alembic's batch mode, which keeps everything that the step does not change.

`RebuildImpl` is mixed into Alembic's own implementation of SQLite for the length of a run. Alembic still reflects, creates, copies, drops
and renames; this gives each of these the right text, or leaves it out if SQLite does not need it.
The order is that of sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.operations.batch import ApplyBatchImpl, BatchOperationsImpl
from sqlalchemy.engine import Connection

from migrator.alembic_private import BatchImpl
from migrator.dialects.sqlite.rebuild.step import RebuildStep
from migrator.dialects.sqlite.rebuild.table_change import TableChange
from migrator.dialects.sqlite.sql.statement import Statement


class RebuildImpl(BatchImpl):
    """Alembic's SQLite, with rebuilds that lose nothing. The session sets `step` before each try of a step."""

    step: RebuildStep
    _auto = False
    _change: TableChange | None = None

    @classmethod
    def around(cls, stock: Any) -> "RebuildImpl":
        """Return an implementation that does everything else as `stock` does, also if that is a subclass of env.py's."""
        combined: type[RebuildImpl] = type("RebuildImpl", (cls, type(stock)), {})
        return combined(
            stock.dialect, stock.connection, stock.as_sql, stock.transactional_ddl, None, stock.context_opts
        )

    def requires_recreate_in_batch(self, batch_op: BatchOperationsImpl) -> bool:
        self._auto = super().requires_recreate_in_batch(batch_op)
        return self._auto

    def prep_table_for_batch(self, batch_impl: ApplyBatchImpl, table: sa.Table) -> None:
        super().prep_table_for_batch(batch_impl, table)
        auto, self._auto = self._auto, False
        self._change = None
        change = TableChange(self, self.step, batch_impl)
        if auto and change.directly():
            change.finish()
        self._change = change

    def create_table(self, table: sa.Table, **kw: Any) -> None:
        change = self._change
        if change is None or table is not change.new_table:
            super().create_table(table, **kw)
        elif not change.done:
            with self._watching_again_on_failure():
                change.create()

    def sends_itself(self, construct: Any) -> bool:
        # The copy of the rows; nothing is copied if SQLite has changed the table directly.
        change = self._change
        if change is None or not isinstance(construct, sa.Insert) or construct.table is not change.new_table:
            return False
        if not change.done:
            with self._watching_again_on_failure():
                change.copy()
        return True

    def drop_table(self, table: sa.Table, **kw: Any) -> None:
        change = self._change
        if change is None or not (table is change.old_table or table is change.new_table):
            super().drop_table(table, **kw)
        elif not change.done:
            with self._watching_again_on_failure():
                if table is change.old_table:
                    change.check_copy()
                super().drop_table(table, **kw)

    def rename_table(self, old_table_name: str, new_table_name: Any, schema: Any = None) -> None:
        change = self._change
        if change is None or old_table_name != change.new_name:
            super().rename_table(old_table_name, new_table_name, schema=schema)
            return
        self._change = None
        if not change.done:
            with self._watching_again_on_failure():
                with _legacy_rename(self._connected):
                    super().rename_table(old_table_name, new_table_name, schema=schema)
                change.put_back()
                change.finish()

    @contextmanager
    def _watching_again_on_failure(self) -> Iterator[None]:
        """Look at the step's statements again if a part of the rebuild fails, because a revision may catch that and go on."""
        try:
            yield
        except BaseException:
            self._change = None
            self.step.keys.resume()
            raise

    def on_statement(self, does: Statement) -> bool:
        """Note what a statement of the step does to what rebuilds put back, before it runs. Only DDL matters, so the answer is False.

        An index or trigger that the step creates replaces the one of that name that was put back.
        """
        step, connection, kind = self.step, self._connected, does.kind
        if does.verb == "CREATE":
            step.give_way(connection, kind.lower(), does.schema, does.name)
        elif does.verb == "ALTER" and kind == "COLUMN" and does.schema != "temp":
            step.doubt(connection, does.schema, does.name, tuple(does.columns or ()))
        elif does.schema == "main" and (does.verb, kind) == ("DROP", "TABLE"):
            step.drops(connection, does.name)
        elif does.schema == "main" and kind == "RENAME" and does.columns is None:
            step.renames(connection, does.name, does.renamed)
        return False

    @property
    def _connected(self) -> Connection:
        assert self.connection is not None
        return self.connection


@contextmanager
def _legacy_rename(connection: Connection) -> Iterator[None]:
    """Rename as SQLite 3.24 did, which does not rewrite views and triggers that name the table; the step's own renames do."""
    before = connection.exec_driver_sql("PRAGMA legacy_alter_table").scalar()
    connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA legacy_alter_table = {before}")
