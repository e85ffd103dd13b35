"""What a change on SQLite once lost or ignored without a word: rows of another table, a conversion, an index, a trigger, a view."""

from pathlib import Path

import pytest

from migrator import StepFailed
from tests.kit.projects import upgrading
from tests.kit.scenario import project

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::sqlalchemy.exc.SAWarning")

FAMILY = """
    CREATE TABLE p (id INTEGER PRIMARY KEY, u TEXT UNIQUE);
    CREATE TABLE k (id INTEGER PRIMARY KEY, p_id INTEGER REFERENCES p (id) ON DELETE CASCADE);
    CREATE TABLE free (id INTEGER PRIMARY KEY, u TEXT);
    INSERT INTO p VALUES (1, 'a'), (2, 'b');
    INSERT INTO k VALUES (1, 1);
"""
OWN_TRANSACTION = """
with op.get_context().autocommit_block():
    op.execute('PRAGMA foreign_keys = ON')
    with op.get_bind().begin_nested(), op.batch_alter_table('{}') as batch:
        batch.alter_column('u', type_=sa.String(50), existing_type=sa.Text())
"""


def test_a_rebuild_that_would_delete_rows_of_another_table_is_refused(tmp_path: Path) -> None:
    with project(tmp_path, upgrading(OWN_TRANSACTION.format("p")), before=FAMILY) as ours:
        with pytest.raises(StepFailed) as caught:
            ours.upgrade()
        assert (caught.value.code, caught.value.fields["children"]) == ("rebuild-deletes-children", ["k"])
        assert ours.ask("SELECT * FROM k") == [(1, 1)]
        assert "TEXT" in ours.schema()["p"]


def test_a_table_without_children_is_rebuilt_there(tmp_path: Path) -> None:
    with project(tmp_path, upgrading(OWN_TRANSACTION.format("free")), before=FAMILY) as ours:
        ours.upgrade()
        assert "VARCHAR(50)" in ours.schema()["free"]


T = """
    CREATE TABLE t (id INTEGER PRIMARY KEY, c VARCHAR(5), d INTEGER);
    INSERT INTO t VALUES (1, 'a', 5);
"""


@pytest.mark.parametrize("also", ["rename", "add", "drop"])
def test_a_declared_conversion_is_made_whatever_else_the_batch_does(also: str, tmp_path: Path) -> None:
    renamed = "new_column_name='e', " if also == "rename" else ""
    body = (
        "with op.batch_alter_table('t') as batch:\n"
        f"    batch.alter_column('d', {renamed}type_=sa.Integer(), existing_type=sa.Integer(), sqlite_using='d * 60')\n"
    )
    body += {"add": "    batch.add_column(sa.Column('x', sa.Integer))", "drop": "    batch.drop_column('c')"}.get(also, "")
    with project(tmp_path, upgrading(body), before=T) as ours:
        ours.upgrade()
        assert ours.ask(f"SELECT {'e' if renamed else 'd'} FROM t") == [300]
