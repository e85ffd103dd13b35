"""SQL for SQLite written to a file: without the table nothing can be rebuilt, but a column can be dropped without a rebuild."""

from types import SimpleNamespace
from typing import Any, cast

from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations.batch import BatchOperationsImpl


class OfflineImpl(SQLiteImpl):
    """Alembic's SQLite, which drops a plain column as SQLite 3.35 and later can. The database refuses if something needs the column."""

    @classmethod
    def around(cls, stock: Any) -> "OfflineImpl":
        """Return an implementation that writes to the same file as `stock`."""
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
