"""SQL for SQLite written to a file: without the table nothing can be rebuilt, but a column can be dropped without a rebuild."""

from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa
from alembic.operations.batch import ApplyBatchImpl, BatchOperationsImpl

from migrator.alembic_private import BatchImpl


class OfflineImpl(BatchImpl):
    """Alembic's SQLite, which drops a plain column as SQLite 3.35 and later can. The database refuses if something needs the column.

    A rebuild, of a table that the revision gives with `copy_from`, copies the values as they are or as `sqlite_using` converts them.
    """

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

    def prep_table_for_batch(self, batch_impl: ApplyBatchImpl, table: sa.Table) -> None:
        super().prep_table_for_batch(batch_impl, table)
        transfers: dict[str, Any] = batch_impl.column_transfers
        for column, using in self.conversions.pop((table.schema, table.name), {}).items():
            transfers[column]["expr"] = sa.literal_column(f"({using})")
