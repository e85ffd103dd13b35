"""Every private name of Alembic that the engine uses, each with its purpose. All were read at Alembic 1.20.1.

A test of each fails when Alembic changes it. Nothing else in the engine touches a name of Alembic's that begins with an underscore, or
tells one of its errors by its words.
"""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.ddl.impl import DefaultImpl
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations import Operations
from alembic.operations.batch import ApplyBatchImpl, BatchOperationsImpl
from alembic.operations.ops import AlterColumnOp
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision
from alembic.util import CommandError
from sqlalchemy.types import TypeEngine

from migrator.results import Direction

_DIRECTIONS: Mapping[str, Direction] = {"upgrade": "upgrade", "downgrade": "downgrade", "do_stamp": "stamp"}
_COMPARISONS = {
    "_compare_computed_default": "the generated value",
    "_compare_identity_default": "the identity",
    "_user_compare_server_default": "the server default",
    "_dialect_impl_compare_server_default": "the server default",
    "_dialect_impl_compare_type": "the type",
    "_user_compare_type": "the type",
    "_compare_nullable": "NOT NULL",
    "_compare_indexes_and_uniques": "the indexes and unique constraints",
    "_compare_foreign_keys": "the foreign keys",
    "_compare_check_constraints": "the CHECK constraints",
    "_compare_column_comment": "the comment",
    "_compare_table_comment": "the comment",
    "_compare_columns": "the columns",
    "_compare_tables": "the tables",
}


def environment() -> EnvironmentContext:
    """Return the environment that env.py runs in; before `configure()` there is no other handle on the command's options."""
    return context._proxy  # type: ignore[attr-defined,no-any-return]


@contextmanager
def context_replaced(migration: MigrationContext) -> Iterator[None]:
    """In the block let `alembic.context` answer with this migration, so that a revision that asks it works on the right connection."""
    env = environment()
    before = env._migration_context
    env._migration_context = migration
    try:
        yield
    finally:
        env._migration_context = before


def direction_of(function: Any) -> Direction:
    """Return which command made the `fn` of an environment; the name of the function inside `alembic.command` is all that tells."""
    return _DIRECTIONS[function.__name__]


def is_check(function: Any) -> bool:
    """Return whether `alembic check` made the `fn` of an environment; it runs through the hooks of `revision`, and only this tells."""
    return getattr(function, "__qualname__", "").partition(".")[0] == "check"


def walk(script: ScriptDirectory, direction: Direction, target: str, heads: Any) -> list[RevisionStep]:
    """Return the steps that `alembic.command` would take from `heads`."""
    return (script._upgrade_revs if direction == "upgrade" else script._downgrade_revs)(target, heads)


def version_files(script: ScriptDirectory) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder of revisions with the files in it, in Alembic's order; the folder may be missing. Reads names only."""
    for folder in map(Path, script._version_locations):
        yield folder, Script._list_py_dir(script, folder) if folder.is_dir() else []


def script_from(script: ScriptDirectory, path: Path) -> Script | None:
    """Import one revision file; None for a file that is no revision. Alembic's own loading stops at the first broken file."""
    return Script._from_path(script, path)


def parents(revision: Revision) -> tuple[str, ...]:
    """Return the ids in `down_revision`, always as a tuple."""
    return revision._versioned_down_revisions


def is_not_up_to_date(error: Exception) -> bool:
    """Return whether `check` or autogenerate refused because the database is not at head; only the words tell."""
    return str(error) == "Target database is not up to date."


def compared(error: BaseException) -> str | None:
    """Return which comparison of autogenerate raised `error`, and on what; None where it was none of them.

    The comparators are handed table and column as `tname` and `cname`; nothing else says what was compared.
    """
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_name
        if frame.f_globals.get("__name__", "").startswith("alembic.") and name in _COMPARISONS:
            found = _words(_COMPARISONS[name], frame.f_locals)
    return found


def _words(what: str, values: Mapping[str, Any]) -> str:
    names = [str(value) for name in ("schema", "tname", "cname") if (value := values.get(name))]
    return f"{what} of {'.'.join(names)}" if names else what


def unchanged_table(batch: ApplyBatchImpl, impl: SQLiteImpl) -> sa.Table:
    """Return the table as Alembic would create it if the batch changed nothing. Sends nothing.

    `ApplyBatchImpl._transfer_elements_to_new_table`, read at Alembic 1.20.1: fills `new_table` from the reflected table.
    """
    unchanged = ApplyBatchImpl(impl, batch.table, (), {}, batch.reflected)
    unchanged._transfer_elements_to_new_table()
    assert unchanged.new_table is not None
    return unchanged.new_table


def comes_with_a_column(index: sa.Index) -> bool:
    """Return whether `Column(index=True)` made the index, which Alembic's batch then leaves to the column. Sends nothing.

    `Index._column_flag` of SQLAlchemy, read by `ApplyBatchImpl` at Alembic 1.20.1.
    """
    return bool(index._column_flag)


def variants(type_: TypeEngine[Any]) -> tuple[TypeEngine[Any], ...]:
    """Return what the type is on particular databases, by `with_variant()`. Sends nothing.

    `TypeEngine._variant_mapping` of SQLAlchemy, read at 2.1.9.
    """
    return tuple(type_._variant_mapping.values())


class BatchImpl(SQLiteImpl):
    """Alembic's SQLite, whose batch mode never changes a value by a CAST, and in which a subclass can send a statement itself.

    `DefaultImpl._exec`, read at Alembic 1.20.1: every statement of an operation goes through it, the copy of a batch's rows included.
    `conversions` are what the revision declares with `sqlite_using`, for each table (schema, name) the expression of each column.
    """

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.conversions: dict[tuple[str | None, str], dict[str, str]] = {}

    def cast_for_batch_migrate(self, existing: Any, existing_transfer: Any, new_type: Any) -> None:
        """Leave the values alone: a CAST to DATETIME makes 2024 of '2024-05-06', one to JSON makes 0 of '{}'."""

    def sends_itself(self, construct: Any) -> bool:
        """Return whether the subclass has dealt with the statement, so that nothing is sent."""
        return False

    def _exec(self, construct: Any, *args: Any, **kw: Any) -> Any:
        return None if self.sends_itself(construct) else super()._exec(construct, *args, **kw)


@Operations._to_impl.dispatch_for(AlterColumnOp, qualifier="sqlite")
def _alter_column(operations: Operations, operation: AlterColumnOp) -> None:
    """Hear `sqlite_using`, which Alembic's batch mode does not hand on; all else is left to what is registered for every database.

    `Operations._to_impl`, read at Alembic 1.20.1: `implementation_for()` has no parameter for one database.
    """
    using = operation.kw.get("sqlite_using")
    impl = operations.migration_context.impl
    if using is not None and operation.modify_type is None:
        raise CommandError("sqlite_using must be used with the type_ parameter")
    if using is not None and isinstance(impl, BatchImpl):
        table = (operation.schema, operation.table_name)
        impl.conversions.setdefault(table, {})[operation.column_name] = str(using)
    Operations._to_impl.dispatch(operation)(operations, operation)


def alter_in_place(impl: DefaultImpl) -> None:
    """Let the batch mode of this implementation alter each table in place, also for `recreate="always"`. Sends nothing.

    A copy loses what is not reflected: triggers, privileges, policies, a second UNIQUE on the primary key. Columns keep their places.
    """
    impl.__dict__["alters_in_place"] = True


_flush = BatchOperationsImpl.flush


def _flush_in_place(batch: BatchOperationsImpl) -> None:
    """Send the batch's operations, read at Alembic 1.20.1: with `recreate="never"` each is the implementation's own."""
    if batch.recreate == "always" and getattr(batch.impl, "alters_in_place", False):
        if batch.table_args:
            raise CommandError(
                f"{batch.table_name}: {batch.dialect.name} alters a table in place, and table_args are for a copy of it. "
                "Give them on SQLite only, and add or drop each constraint with an operation of its own."
            )
        batch.recreate = "never"
        for name, _, options in batch.batch:
            if name == "add_column":
                options.pop("insert_before", None)
                options.pop("insert_after", None)
    _flush(batch)


BatchOperationsImpl.flush = _flush_in_place  # type: ignore[method-assign,assignment]
