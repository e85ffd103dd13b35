"""A table rebuilt by Alembic's batch mode, kept as it was but for what the step changes.

`Rebuilding` is mixed into Alembic's own implementation of SQLite for the length of a run. Alembic goes on to reflect, create, copy, drop
and rename; here each of these is given the right text, or left out where SQLite can do without.
The order of things is that of sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes".
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations.batch import ApplyBatchImpl, BatchOperationsImpl
from sqlalchemy.engine import Connection

from migrator.dialects.sqlite.foreign_keys import ForeignKeys
from migrator.dialects.sqlite.rebuild.dependents import Thing, on_table
from migrator.dialects.sqlite.rebuild.table_change import TableChange
from migrator.dialects.sqlite.sql.statement import Statement
from migrator.dialects.sqlite.sql.tokens import same
from migrator.errors.tree import MigratorError


@dataclass
class Step:
    """What the rebuilds of one step share; made anew for each."""

    keys: ForeignKeys
    accepted: frozenset[str]
    fail: Callable[..., MigratorError]
    put_back: list[Thing] = field(default_factory=list)
    """Indexes and triggers that were made again, and give way when the step makes them itself."""
    doubtful: list[tuple[Thing, tuple[str | None, ...], tuple[str, ...]]] = field(default_factory=list)
    """Views and triggers that may need a column that went; what did not work before, and the columns."""

    dropped: dict[str, list[Thing]] = field(default_factory=dict)
    """What went with each table that the step dropped itself."""
    unmade: list[Thing] = field(default_factory=list)
    """What went with a table that has another in its place now."""

    def refuse(self, table: str, lost: list[str]) -> None:
        """Raise an error that lists what would be lost, and says how to say that it is meant."""
        lost = [text for text in dict.fromkeys(lost) if text not in self.accepted]
        if lost:
            texts = "".join(f"    {text!r},\n" for text in lost)
            listed = "\n".join(f"  {text}" for text in lost)
            raise self.fail("rebuild-loses", table=table, lost=listed, accept=f"accept_loss = (\n{texts})")

    def verify(self, connection: Connection) -> None:
        """Raise when a view or trigger that worked before needs a column that is gone, or a rebuild in SQL left something out."""
        lost = [thing.words for thing in self.unmade if not thing.has_a_like(connection)]
        table = self.unmade[0].table if lost else ""
        for thing, before, gone in self.doubtful:
            if not thing.is_there(connection):
                continue  # the step has dropped it, or made another in its place
            trouble = any(now and not then for now, then in zip(thing.troubles(connection), before, strict=False))
            if trouble or thing.silently(gone) or (thing.kind == "trigger" and thing.updates_of(gone)):
                if thing.words in self.accepted:
                    thing.drop(connection)
                else:
                    lost.append(thing.words)
        self.refuse(table or (self.doubtful[0][0].table if lost else ""), lost)


class Rebuilding(SQLiteImpl):
    """Alembic's SQLite, with a table's rebuild in our hands. `step` is set before each step."""

    step: Step
    _auto = False
    _change: TableChange | None = None

    @classmethod
    def around(cls, stock: Any) -> "Rebuilding":
        """Return an implementation that does everything else as `stock` does, an env.py's own subclass included."""
        own: type[Rebuilding] = type("Rebuilding", (cls, type(stock)), {})
        return own(stock.dialect, stock.connection, stock.as_sql, stock.transactional_ddl, None, stock.context_opts)

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
            change.create()

    def _exec(self, construct: Any, *args: Any, **kw: Any) -> Any:
        change = self._change
        if (
            change is not None
            and change.done
            and isinstance(construct, sa.Insert)
            and construct.table is change.new_table
        ):
            return None  # there is nothing to copy
        return super()._exec(construct, *args, **kw)

    def drop_table(self, table: sa.Table, **kw: Any) -> None:
        change = self._change
        if change is None or not (table is change.old_table or table is change.new_table):
            super().drop_table(table, **kw)
        elif not change.done:
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
            with _legacy_rename(self._connected):
                super().rename_table(old_table_name, new_table_name, schema=schema)
            change.put_back()
            change.finish()

    def heed(self, does: Statement) -> None:
        """Look at a statement of the step's own before it runs."""
        step, kind = self.step, does.kind.lower()
        if does.verb == "CREATE":  # its words count, and not those of what was put back
            for thing in [thing for thing in step.put_back if thing.kind == kind and same(thing.name, does.name)]:
                step.put_back.remove(thing)
                thing.drop(self._connected)
        elif (does.verb, kind) == ("DROP", "table"):
            step.dropped[does.name.casefold()] = on_table(self._connected, "main", does.name)
        elif kind == "rename" and does.columns is None:
            step.unmade += step.dropped.pop(does.renamed.casefold(), [])

    @property
    def _connected(self) -> Connection:
        assert self.connection is not None
        return self.connection


@contextmanager
def _legacy_rename(connection: Connection) -> Iterator[None]:
    """Rename as SQLite 3.24 did, which leaves views and triggers that name the table alone; the step's own renames do not."""
    before = connection.exec_driver_sql("PRAGMA legacy_alter_table").scalar()
    connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA legacy_alter_table = {before}")
