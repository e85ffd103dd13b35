"""Every private name of Alembic that the engine uses, in one place: what it is for, and the version at which it was read.

A new Alembic release is checked here first; each name has a test.
"""

from typing import Any

import sqlalchemy as sa
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations.batch import ApplyBatchImpl


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


class ExecutingImpl(SQLiteImpl):
    """Alembic's SQLite, in which a subclass can leave out a statement.

    `DefaultImpl._exec`, read at Alembic 1.20.1: every statement of an operation goes through it, the copy of a batch's rows included.
    """

    def leaves_out(self, construct: Any) -> bool:
        """Return whether the statement is not to be sent."""
        return False

    def _exec(self, construct: Any, *args: Any, **kw: Any) -> Any:
        return None if self.leaves_out(construct) else super()._exec(construct, *args, **kw)
