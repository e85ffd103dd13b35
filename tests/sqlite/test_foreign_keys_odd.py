"""Statements that break a foreign key in a way that their text hardly shows, and what SQLite takes for the same name."""

import sqlite3
from pathlib import Path

import pytest

from migrator import StepFailed
from migrator.dialects.sqlite.sql.statement import read
from tests.kit.projects import upgrading
from tests.kit.scenario import project

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::sqlalchemy.exc.SAWarning")

FAMILY = """
    CREATE TABLE p (id INTEGER PRIMARY KEY, u TEXT UNIQUE);
    CREATE TABLE q (id INTEGER PRIMARY KEY, u TEXT UNIQUE ON CONFLICT REPLACE);
    CREATE TABLE k (id INTEGER PRIMARY KEY, f INTEGER, p_id INTEGER REFERENCES p (id), q_id INTEGER REFERENCES q (id));
    CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER, p_id INTEGER GENERATED ALWAYS AS (b) STORED REFERENCES p (id));
    CREATE TABLE gp (b TEXT, u TEXT GENERATED ALWAYS AS (b) STORED UNIQUE);
    CREATE TABLE gk (u TEXT REFERENCES gp (u));
    CREATE TABLE free (id INTEGER PRIMARY KEY);
    INSERT INTO p VALUES (1, 'a'), (2, 'b');
    INSERT INTO q VALUES (1, 'a'), (2, 'b');
    INSERT INTO k VALUES (1, 0, 1, 1);
    INSERT INTO g (id, b) VALUES (1, 1);
    INSERT INTO gp (b) VALUES ('1');
    INSERT INTO gk VALUES ('1');
"""
BREAKING = {
    "or replace": "op.execute(\"UPDATE OR REPLACE p SET u = 'a' WHERE id = 2\")",
    "on conflict replace": "op.execute(\"INSERT INTO q (u) VALUES ('a')\")",
    "on conflict replace, updated": "op.execute(\"UPDATE q SET u = 'a' WHERE id = 2\")",
    "is distinct from": "op.execute('UPDATE k SET f = id IS DISTINCT FROM 1, p_id = 99')",
    "a generated key": "op.execute('UPDATE g SET b = 99')",
    "a generated parent key": "op.execute('UPDATE gp SET b = 2')",
    "a generated key's base retyped": "with op.batch_alter_table('g') as batch:\n"
    "    batch.alter_column('b', type_=sa.Text(), sqlite_using='b + 98')",
    "after a rebuild that failed": "try:\n    with op.batch_alter_table('p') as batch:\n"
    "        batch.create_check_constraint('ck', 'id < 2')\nexcept sa.exc.IntegrityError:\n    pass\n"
    "op.execute('DELETE FROM p')",
    "a table dropped by the driver": "op.get_bind().connection.driver_connection.execute('DROP TABLE p')",
    "a column added by the driver": "op.execute('INSERT INTO free VALUES (1)')\nop.get_bind().connection.driver_connection.execute("
    "'ALTER TABLE free ADD COLUMN p_id INTEGER DEFAULT 99 REFERENCES p (id)')\nop.execute('CREATE TABLE later (a)')",
    "a trigger that writes its own table": "op.execute('CREATE TRIGGER x AFTER UPDATE ON k BEGIN UPDATE k SET p_id = 99; END')\n"
    "op.execute('UPDATE k SET f = 1')",
    "the first of two triggers": "op.execute('CREATE TRIGGER x AFTER INSERT ON free BEGIN DELETE FROM p; END')\n"
    "op.execute('CREATE TRIGGER y AFTER INSERT ON free BEGIN SELECT 1; END')\nop.execute('INSERT INTO free VALUES (1)')",
    "a temporary trigger": "op.execute('CREATE TEMP TRIGGER x AFTER INSERT ON main.free BEGIN DELETE FROM p; END')\n"
    "op.execute('INSERT INTO free VALUES (1)')",
    "behind a temporary table": "op.execute('CREATE TEMP TABLE k (a)')\nop.execute('UPDATE main.k SET p_id = 99')",
}


@pytest.mark.parametrize("case", BREAKING)
def test_no_row_is_left_without_its_parent(case: str, tmp_path: Path) -> None:
    if "distinct" in case and sqlite3.sqlite_version_info < (3, 39):
        pytest.skip("this SQLite has no IS DISTINCT FROM")
    with project(tmp_path, upgrading(BREAKING[case]), before=FAMILY) as ours:
        with pytest.raises(StepFailed) as caught:
            ours.upgrade()
        assert caught.value.code == "foreign-keys-broken"
        assert ours.ask("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize(
    "body",
    [
        "op.execute('SAVEPOINT a')\nop.execute('CREATE TABLE x (a)')\nop.execute('ROLLBACK TO a')\nop.execute('RELEASE a')",
        "with op.get_context().autocommit_block():\n    op.execute('CREATE TABLE x (a)')\nop.execute('CREATE TABLE y (a)')",
        "with op.batch_alter_table('p') as batch:\n    batch.alter_column('u', type_=sa.String(9))\nop.execute('ANALYZE')",
        "op.execute('CREATE TEMP TABLE k (a)')\nop.execute('DROP TABLE k')\nop.execute('UPDATE k SET f = 9')",
    ],
)
def test_what_was_seen_is_not_taken_for_missed(body: str, tmp_path: Path) -> None:
    """A row that was broken before would stop the step then."""
    with project(tmp_path, upgrading(body), before=FAMILY + "UPDATE k SET p_id = 98;") as ours:
        ours.upgrade()


@pytest.mark.parametrize(
    ("sql", "schema", "on"),
    [
        ("CREATE TEMP TRIGGER x AFTER UPDATE OF a ON main.t BEGIN SELECT 1; END", "temp", "t"),
        ("CREATE UNIQUE INDEX IF NOT EXISTS Temp.x ON [t] (a)", "temp", "t"),
        ("CREATE TEMPORARY TABLE x (a)", "temp", ""),
        ("DROP TABLE x", "", ""),
        ('ALTER TABLE "Main".x RENAME TO y', "main", ""),
    ],
)
def test_a_statement_says_where_its_name_is(sql: str, schema: str, on: str) -> None:
    does = read(sql)
    assert (does.name, does.schema, does.on) == ("x", schema, on)


@pytest.mark.parametrize(
    "sql", ["ALTER TABLE t RENAME", "ALTER TABLE t DROP", "ALTER TABLE", "UPDATE OR", "UPDATE t SET", "DROP"]
)
def test_half_a_statement_is_left_to_sqlite(sql: str) -> None:
    assert read(sql).verb == sql.split()[0]


def test_what_writes_the_schema_itself_could_do_anything() -> None:
    assert not read("UPDATE main.sqlite_schema SET sql = 'x'").known
