"""Rebuilds as histories have them that nobody here wrote: twice in a revision, keys made anew, columns that take a key with them."""

import logging
import sqlite3
import warnings
from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import Migrator, StepFailed
from tests.kit.database import connected, execute, rows
from tests.kit.projects import miniature, upgrading
from tests.kit.scenario import project
from tests.sqlite.test_rebuild import plain

T = """
    CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER);
    CREATE INDEX ix_a ON t (a);
    CREATE TABLE said (what TEXT);
    CREATE TRIGGER x AFTER UPDATE ON t BEGIN INSERT INTO said VALUES ('old'); END;
    INSERT INTO t VALUES (1, 2, 3);
"""
BATCH = (
    "with op.batch_alter_table('t') as batch:\n    batch.alter_column('b', existing_type=sa.Integer(), nullable={})\n"
)
TRIGGER = "op.execute(\"CREATE TRIGGER x AFTER UPDATE ON t BEGIN INSERT INTO said VALUES ('new'); END\")\n"
AGAIN = {
    "twice": BATCH.format(False) + BATCH.format(True),
    "an index anew": BATCH.format(False)
    + "op.drop_index('ix_a', 't')\nop.create_index('ix_a', 't', ['a'], unique=True)",
    "a trigger anew": BATCH.format(False) + "op.execute('DROP TRIGGER IF EXISTS x')\n" + TRIGGER,
    "both, between two": BATCH.format(False)
    + "op.drop_index('ix_a', 't')\nop.execute('DROP TRIGGER x')\n"
    + BATCH.format(True)
    + "op.create_index('ix_a', 't', ['a'], unique=True)\n"
    + TRIGGER,
    "without a drop, as for stock Alembic": BATCH.format(False) + BATCH.format(True) + TRIGGER,
    "renamed by a rebuild": BATCH.format(False)
    + "with op.batch_alter_table('t') as batch:\n    batch.alter_column('a', new_column_name='c', nullable=False)\n"
    + "op.execute('CREATE INDEX ix_a ON t (c, b)')",
}


@pytest.mark.parametrize("case", AGAIN)
def test_what_was_put_back_gives_way_only_while_it_is_there(case: str, tmp_path: Path) -> None:
    with project(tmp_path, upgrading(AGAIN[case]), before=T) as ours:
        ours.upgrade()
        made = ours.schema()
        assert ("UNIQUE" in made["ix_a"]) is ("unique" in AGAIN[case])
        assert ("'new'" in made["x"]) is (TRIGGER in AGAIN[case])
        assert ("c" in made["ix_a"].partition(" ON ")[2]) is ("(c, b)" in AGAIN[case])
        assert ours.ask("SELECT * FROM t") == [(1, 2, 3)]


# What the batch does, on a table with PRIMARY KEY (w, k) called t_pk and UNIQUE (a, b); then the key's columns and the unique ones'.
W_AND_K = (
    "CREATE TABLE t (w INTEGER NOT NULL, k INTEGER NOT NULL, a INTEGER, b INTEGER, "
    "CONSTRAINT t_pk PRIMARY KEY (w, k), CONSTRAINT t_ab UNIQUE (a, b))"
)
KEYS = {
    "dropped, and made anew": (
        "batch.drop_constraint('t_pk', type_='primary')\nbatch.drop_column('w')\nbatch.create_primary_key('t_pk', ['k'])",
        ("t_pk", ["k"]),
        ["a", "b"],
    ),
    "another name": (
        "batch.drop_constraint('t_pk', type_='primary')\nbatch.create_primary_key('t_key', ['w', 'k'])",
        ("t_key", ["w", "k"]),
        ["a", "b"],
    ),
    "taken along": ("batch.drop_column('w')\nbatch.drop_column('b')", (None, []), []),
    "named as renamed": (
        "batch.drop_constraint('t_pk', type_='primary')\nbatch.drop_constraint('t_ab', type_='unique')\n"
        "batch.alter_column('k', new_column_name='kk')\nbatch.alter_column('a', new_column_name='aa')\n"
        "batch.create_primary_key('t_pk', ['kk'])\nbatch.create_unique_constraint('t_ab', ['aa', 'b'])\n"
        "batch.create_check_constraint('t_ck', 'aa > 0')\n"
        "batch.create_foreign_key('t_fk', 'p', ['aa'], ['id'])",
        ("t_pk", ["kk"]),
        ["aa", "b"],
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_keys_are_changed_as_on_postgresql(
    case: str, database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    does, (name, columns), unique = KEYS[case]
    body = "with op.batch_alter_table('t') as batch:\n" + "\n".join(f"    {line}" for line in does.splitlines())
    config = miniature(tmp_path, "def upgrade(): pass", upgrading(body))
    Migrator(config, database_url=database_url).upgrade("001")
    parent = "CREATE TABLE p (id INTEGER PRIMARY KEY)"
    execute(database_url, parent, "INSERT INTO p VALUES (3)", W_AND_K, "INSERT INTO t VALUES (1, 2, 3, 4)")
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        Migrator(config, database_url=database_url).upgrade()
    with connected(database_url) as connection:
        found = sa.inspect(connection)
        key = found.get_pk_constraint("t")
        assert (key.get("name"), key["constrained_columns"]) == (name, columns)
        assert [one["column_names"] for one in found.get_unique_constraints("t")] == ([unique] if unique else [])
        if case == "named as renamed":
            assert found.get_foreign_keys("t")[0]["constrained_columns"] == ["aa"]
            assert "aa" in found.get_check_constraints("t")[0]["sqltext"]
    assert len(rows(database_url, "SELECT * FROM t")) == 1
    said = [record.getMessage() for record in caplog.records if "drops the key" in record.getMessage()]
    if case == "taken along" and database_url.startswith("sqlite"):
        assert [text.partition("PostgreSQL: ")[2] for text in said] == [
            "t: CONSTRAINT t_pk PRIMARY KEY (w, k)",
            "t: CONSTRAINT t_ab UNIQUE (a, b)",
        ]
    else:
        assert said == []


def test_an_inline_key_gets_a_name_and_stays_what_it_was(tmp_path: Path) -> None:
    before = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT); INSERT INTO t VALUES (5, 'x');"
    body = "with op.batch_alter_table('t') as batch:\n    batch.create_primary_key('t_pk', ['id'])"
    with project(tmp_path, upgrading(body), before=before) as ours:
        ours.upgrade()
        assert "CONSTRAINT t_pk PRIMARY KEY AUTOINCREMENT" in ours.schema()["t"]


def test_a_new_key_on_a_column_that_is_not_there_is_still_refused(tmp_path: Path) -> None:
    body = (
        "with op.batch_alter_table('t') as batch:\n    batch.alter_column('a', new_column_name='c')\n"
        "    batch.create_unique_constraint('u', ['c', 'd'])"
    )
    with project(tmp_path, upgrading(body), before=T) as ours, pytest.raises(StepFailed, match="new constraint u"):
        ours.upgrade()


def test_rows_keep_their_rowids(tmp_path: Path) -> None:
    """An FTS5 index without content of its own finds its rows by them."""
    before = """
        CREATE TABLE docs (k TEXT PRIMARY KEY, body TEXT, rowid TEXT);
        CREATE VIRTUAL TABLE found USING fts5(body, content='docs', content_rowid='_rowid_');
        INSERT INTO docs VALUES ('k1', 'one', ''), ('k2', 'two', ''), ('k3', 'three', ''), ('k4', 'four', ''), ('k5', 'five', '');
        INSERT INTO found (found) VALUES ('rebuild');
        INSERT INTO found (found, rowid, body) VALUES ('delete', 1, 'one'), ('delete', 2, 'two');
        DELETE FROM docs WHERE k IN ('k1', 'k2');
    """
    body = "with op.batch_alter_table('docs') as batch:\n    batch.alter_column('body', nullable=False)"
    asked = "SELECT k FROM docs WHERE _rowid_ IN (SELECT rowid FROM found('three'))"
    with project(tmp_path / "stock", upgrading(body), before=before, stock=True) as stock:
        stock.upgrade()
        assert stock.ask(asked) == ["k5"]
    with project(tmp_path / "ours", upgrading(body), before=before) as ours:
        ours.upgrade()
        assert ours.ask(asked) == ["k3"]
        with sqlite3.connect(ours.file) as connection:
            connection.execute("INSERT INTO found (found, rank) VALUES ('integrity-check', 1)")
        connection.close()


def test_a_table_without_rowids_and_one_with_its_own_are_rebuilt(tmp_path: Path) -> None:
    before = (
        "CREATE TABLE t (k TEXT PRIMARY KEY, b INTEGER) WITHOUT ROWID; INSERT INTO t VALUES ('x', 1);"
        "CREATE TABLE u (k TEXT PRIMARY KEY, b TEXT); INSERT INTO u VALUES ('7', 'y');"
    )
    body = BATCH.format(False) + (
        "with op.batch_alter_table('u') as batch:\n    batch.alter_column('k', type_=sa.Integer())\n"
        "    batch.alter_column('b', nullable=False)"
    )
    with project(tmp_path, upgrading(body), before=before) as ours:
        ours.upgrade()
        assert ours.ask("SELECT * FROM t") == [("x", 1)]
        assert ours.ask("SELECT rowid, k, b FROM u") in ([(1, 7, "y")], [(7, 7, "y")])


GENERATED = {
    "the short way": "CREATE TABLE t (v INTEGER, h int as (v+1), g int as (v*2) stored, b INTEGER)",
    "the long way": "CREATE TABLE t (v INTEGER, h int GENERATED ALWAYS AS (v+1), g int GENERATED ALWAYS AS (v*2) STORED, b INTEGER)",
    "one of each": "CREATE TABLE t (v INTEGER, g int GENERATED ALWAYS AS (v*2), h int as (v+1), b INTEGER)",
    "without a type": "CREATE TABLE t (v INTEGER, h as (v+1), g AS (v*2), b INTEGER)",
}


@pytest.mark.parametrize("case", GENERATED)
def test_generated_columns_are_kept_however_they_are_written(case: str, tmp_path: Path) -> None:
    before = GENERATED[case] + "; INSERT INTO t (v, b) VALUES (1, 2);"
    with project(tmp_path, upgrading(BATCH.format(False)), before=before) as ours:
        ours.upgrade()
        assert ours.ask("SELECT v, h, g, b FROM t") == [(1, 2, 2, 2)]
        assert GENERATED[case].partition("(v INTEGER,")[2].partition(", b")[0] in ours.schema()["t"]


@pytest.mark.parametrize("how", ["", ", copy_from=sa.Table('v', sa.MetaData(), sa.Column('b', sa.Integer))"])
def test_a_batch_on_a_view_is_a_mistake_that_is_named(how: str, tmp_path: Path) -> None:
    body = f"with op.batch_alter_table('v'{how}) as batch:\n    batch.alter_column('b', nullable=False)"
    with project(tmp_path, upgrading(body), before=T + "CREATE VIEW v AS SELECT b FROM t;") as ours:
        with pytest.raises(StepFailed, match="with batch_alter_table, which is a view") as caught:
            ours.upgrade()
        assert caught.value.code == "not-a-table"


def test_what_can_be_kept_stays_when_a_setting_allows_its_loss_in_any_revision(tmp_path: Path) -> None:
    before = (
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT COLLATE NOCASE CHECK (a > ''), b TEXT) STRICT;"
        "CREATE INDEX ix_b ON t (lower(b)); CREATE TRIGGER loud AFTER UPDATE ON t BEGIN SELECT NEW.b; END;"
    )
    words = (
        "AUTOINCREMENT on id",
        "COLLATE NOCASE on a",
        "CHECK (a > '') on a",
        "STRICT",
        "index ix_b",
        "trigger loud",
    )
    allowed = "".join(f"\n    t: {text}" for text in words)
    change = (
        "with op.batch_alter_table('t') as batch:\n    batch.alter_column('b', existing_type=sa.Text(), nullable=False)"
    )
    drop = "with op.batch_alter_table('t') as batch:\n    batch.drop_column('b')\n    batch.alter_column('a', nullable=False)"
    with project(tmp_path / "ours", upgrading(change), upgrading(drop), before=before) as ours:
        with Path(ours.ini).open("a") as ini:
            ini.write(f"accept_loss ={allowed}\n")
        was = plain(ours.schema())
        ours.upgrade("001")
        assert plain(ours.schema()) == was | {"t": was["t"].replace("btext", "btextnotnull")}
        ours.upgrade("002")
        assert plain(ours.schema()) == {"t": was["t"].replace(",btext", "").replace("(a>'')", "(a>'')notnull")}
