"""Tables that a rebuild without a transaction has left behind: explained, never dropped."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import DatabaseError, StepFailed
from tests.kit.projects import upgrading
from tests.kit.scenario import project

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::sqlalchemy.exc.SAWarning"
)  # stock Alembic's own

ORDERS = """
    CREATE TABLE orders (id INTEGER PRIMARY KEY, status VARCHAR(10));
    INSERT INTO orders VALUES (1, 'open'), (2, 'open');
"""
LONGER = "with op.batch_alter_table('orders') as batch:\n    batch.alter_column('status', type_=sa.String(20))"


def test_stock_alembic_says_only_that_there_is_such_a_table(tmp_path: Path) -> None:
    before = ORDERS + "CREATE TABLE _alembic_tmp_orders (id INTEGER);"
    with (
        project(tmp_path / "stock", upgrading(LONGER), before=before, stock=True, foreign_keys=False) as stock,
        pytest.raises(sa.exc.OperationalError, match="table _alembic_tmp_orders already exists"),
    ):
        stock.upgrade()


def test_a_leftover_is_explained_and_not_dropped(tmp_path: Path) -> None:
    before = ORDERS + "CREATE TABLE _alembic_tmp_orders (id INTEGER); INSERT INTO _alembic_tmp_orders VALUES (1);"
    with project(tmp_path / "ours", upgrading(LONGER), before=before) as ours, pytest.raises(StepFailed) as caught:
        ours.upgrade()
    assert caught.value.code == "table-left-over"
    assert "It holds 1 rows, orders holds 2." in str(caught.value)
    assert f"sqlite3 {ours.file} 'DROP TABLE \"_alembic_tmp_orders\"'" in str(caught.value)
    assert ours.ask("SELECT count(*) FROM _alembic_tmp_orders") == [1]
    with project(
        tmp_path / "other", upgrading("op.create_table('t', sa.Column('id', sa.Integer))"), before=before
    ) as other:
        other.upgrade()  # it is in nobody's way


def test_a_leftover_that_is_the_only_copy_stops_every_run(tmp_path: Path) -> None:
    before = "CREATE TABLE _alembic_tmp_orders (id INTEGER); INSERT INTO _alembic_tmp_orders VALUES (1);"
    text = upgrading("op.create_table('t', sa.Column('id', sa.Integer))")
    with project(tmp_path / "ours", text, before=before) as ours:
        with pytest.raises(DatabaseError, match='ALTER TABLE "_alembic_tmp_orders" RENAME TO "orders"') as caught:
            ours.upgrade()
        assert caught.value.code == "table-lost"
        assert "t" not in ours.schema()
