"""Primary keys that a batch makes or gives another type: no NULL in them, and ids go on counting, as on PostgreSQL."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import Migrator, StepFailed
from tests.kit.database import connected, execute, rows
from tests.kit.projects import miniature, upgrading
from tests.kit.scenario import project

MADE = "with op.batch_alter_table('t') as batch:\n    batch.create_primary_key('t_pk', ['b', 'a'][:{}])"
FILLED = "op.execute(\"UPDATE t SET b = '7' WHERE b IS NULL\")\n"


@pytest.mark.parametrize(
    ("kind", "length", "told"),
    [("Integer", 1, "1 of 3 rows have NULL in b"), ("String(5)", 2, "1 of 3 rows have NULL in b")],
)
def test_a_null_in_a_new_primary_key_stops_the_step(
    kind: str, length: int, told: str, database_url: str, tmp_path: Path
) -> None:
    columns = f"sa.Column('a', sa.Integer), sa.Column('b', sa.{kind}), sa.Column('c', sa.Text)"
    first = f"op.create_table('t', {columns})\nop.execute(\"INSERT INTO t VALUES (1, NULL, 'x'), (2, '5', 'y'), (2, '6', 'y')\")"
    config = miniature(tmp_path / "refused", upgrading(first), upgrading(MADE.format(length)))
    with pytest.raises(StepFailed) as caught:
        Migrator(config, database_url=database_url).upgrade()
    assert rows(database_url, "SELECT count(*) FROM t WHERE b IS NULL") == [1]
    if database_url.startswith("sqlite"):
        assert (caught.value.code, caught.value.fields["nulls"]) == ("key-has-nulls", (f"t: {told}",))
    config = miniature(tmp_path / "filled", upgrading(first), upgrading(FILLED + MADE.format(length)))
    Migrator(config, database_url=database_url).upgrade()
    with connected(database_url) as connection:
        nullable = {column["name"]: column["nullable"] for column in sa.inspect(connection).get_columns("t")}
    assert nullable == {"a": length == 1, "b": False, "c": True}
    assert sorted(map(str, rows(database_url, "SELECT b FROM t"))) == ["5", "6", "7"]


RETYPED = "with op.batch_alter_table('t') as batch:\n    batch.alter_column('id', type_={})"


@pytest.mark.parametrize("declared", ["VARCHAR(5)", "VARCHAR(5) NULL", "BIGINT"])
def test_a_null_is_not_made_a_number_by_a_key_that_becomes_the_rowid(declared: str, tmp_path: Path) -> None:
    before = f"CREATE TABLE t (id {declared} PRIMARY KEY, a TEXT); INSERT INTO t VALUES (NULL, 'x'), ('5', 'y');"
    with project(tmp_path, upgrading(RETYPED.format("sa.Integer()")), before=before) as ours:
        with pytest.raises(StepFailed, match="t: 1 of 2 rows have NULL in id"):
            ours.upgrade()
        assert ours.ask("SELECT count(*) FROM t WHERE id IS NULL") == [1]


def test_what_was_null_in_an_older_key_does_not_matter_elsewhere(tmp_path: Path) -> None:
    before = "CREATE TABLE t (id VARCHAR(5) PRIMARY KEY, a TEXT); INSERT INTO t VALUES (NULL, 'x'), ('5', 'y');"
    body = RETYPED.format("sa.String(9)") + "\n    batch.alter_column('a', nullable=False)"
    with project(tmp_path, upgrading(body), before=before) as ours:
        ours.upgrade()
        assert ours.ask("SELECT * FROM t") == [(None, "x"), ("5", "y")]


@pytest.mark.parametrize("kind", ["BigInteger", "SmallInteger"])
def test_ids_go_on_counting_in_another_integer_type(kind: str, database_url: str, tmp_path: Path) -> None:
    first = "op.create_table('t', sa.Column('id', sa.Integer, primary_key=True), sa.Column('a', sa.Text))"
    insert = "\nop.execute(\"INSERT INTO t (a) VALUES ('{}')\")"
    also = "\n    batch.add_column(sa.Column('b', sa.Text))"  # which SQLite could do without a rebuild
    body = RETYPED.format(f"sa.{kind}()") + also + insert.format("y")
    config = miniature(tmp_path, upgrading(first + insert.format("x")), upgrading(body))
    Migrator(config, database_url=database_url).upgrade("001")
    if kind == "SmallInteger":
        execute(database_url, "INSERT INTO t VALUES (32768, 'z')")
        with pytest.raises(StepFailed) as caught:
            Migrator(config, database_url=database_url).upgrade()
        assert caught.value.code == ("values-unfit" if database_url.startswith("sqlite") else "step-failed")
        execute(database_url, "DELETE FROM t WHERE id > 1")
    Migrator(config, database_url=database_url).upgrade()
    assert rows(database_url, "SELECT a FROM t WHERE id > 1 ORDER BY id") == ["y"]
    if kind == "BigInteger":
        execute(database_url, f"INSERT INTO t (id) VALUES ({2**40})")
        assert rows(database_url, "SELECT max(id) FROM t") == [2**40]


ROWID = "CREATE TABLE t (id INTEGER PRIMARY KEY{} /* mine */, a TEXT); INSERT INTO t VALUES (5, 'x'); DELETE FROM t;"


def test_the_rowid_keeps_its_text_and_its_counter(tmp_path: Path) -> None:
    body = RETYPED.format("sa.BigInteger()") + "\n    batch.alter_column('a', nullable=False)"
    with project(tmp_path, upgrading(body), before=ROWID.format(" AUTOINCREMENT")) as ours:
        ours.upgrade()
        assert "id INTEGER PRIMARY KEY AUTOINCREMENT /* mine */," in ours.schema()["t"]
        execute(f"sqlite:///{ours.file}", "INSERT INTO t (a) VALUES ('y')")
        assert ours.ask("SELECT id FROM t") == [6]


@pytest.mark.parametrize(
    ("kind", "extra", "words"),
    [
        ("sa.String(36)", "", "t: INTEGER PRIMARY KEY on id"),
        ("sa.Numeric(9)", "", "t: INTEGER PRIMARY KEY on id"),
        ("sa.String(36)", " AUTOINCREMENT", "t: AUTOINCREMENT on id"),
    ],
)
def test_ids_that_would_no_longer_count_stop_the_step_until_that_is_said_to_be_meant(
    kind: str, extra: str, words: str, tmp_path: Path
) -> None:
    body, before = RETYPED.format(kind), ROWID.format(extra)
    with project(tmp_path / "refused", upgrading(body), before=before) as ours:
        with pytest.raises(StepFailed, match=re.escape(words)) as caught:
            ours.upgrade()
        assert (caught.value.code, caught.value.fields["lost"]) == ("rebuild-loses", (words,))
    with project(tmp_path / "meant", upgrading(body, own=f"accept_loss = ({words!r},)"), before=before) as ours:
        ours.upgrade()
        assert "INTEGER" not in ours.schema()["t"]


def test_the_rowid_becomes_a_bigint_where_the_file_says_so(tmp_path: Path) -> None:
    own = "accept_loss = ('t: INTEGER PRIMARY KEY on id',)"
    with project(tmp_path, upgrading(RETYPED.format("sa.BigInteger()"), own=own), before=ROWID.format("")) as ours:
        ours.upgrade()
        assert "id BIGINT PRIMARY KEY" in ours.schema()["t"]
