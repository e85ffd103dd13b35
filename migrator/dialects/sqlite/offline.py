"""SQL for SQLite written to a file: there is no table to look at, so a rebuild cannot be, but a column can be dropped without one."""

from types import SimpleNamespace
from typing import Any, cast

from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations.batch import BatchOperationsImpl


class Direct(SQLiteImpl):
    """Alembic's SQLite, which drops a plain column as SQLite 3.35 and later can; the database refuses where something needs it."""

    @classmethod
    def around(cls, stock: Any) -> "Direct":
        """Return an implementation that writes to where `stock` writes."""
        return cls(
            stock.dialect,
            stock.connection,
            stock.as_sql,
            stock.transactional_ddl,
            stock.output_buffer,
            stock.context_opts,
        )

    def requires_recreate_in_batch(self, batch_op: BatchOperationsImpl) -> bool:
        others = [operation for operation in batch_op.batch if operation[0] != "drop_column"]
        return super().requires_recreate_in_batch(cast("BatchOperationsImpl", SimpleNamespace(batch=others)))
