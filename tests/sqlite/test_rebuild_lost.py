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
    body += {"add": "    batch.add_column(sa.Column('x', sa.Integer))", "drop": "    batch.drop_column('c')"}.get(
        also, ""
    )
    with project(tmp_path, upgrading(body), before=T) as ours:
        ours.upgrade()
        assert ours.ask(f"SELECT {'e' if renamed else 'd'} FROM t") == [300]


def test_names_are_compared_as_sqlite_compares_them(tmp_path: Path) -> None:
    """Only the letters of ASCII are the same in upper and lower case; an index in the temporary schema is another one."""
    before = 'CREATE TABLE t (id INTEGER PRIMARY KEY, É VARCHAR(5), é INTEGER, k INTEGER); CREATE UNIQUE INDEX "ix_é" ON t (é);'
    body = (
        "with op.batch_alter_table('t') as batch:\n    batch.alter_column('É', type_=sa.String(50))\n"
        "op.execute('CREATE INDEX \"ix_É\" ON t (É)')\n"
        "op.execute('CREATE TEMP TABLE tmp (a)')\n"
        "op.execute('CREATE INDEX temp.\"ix_é\" ON tmp (a)')\n"
    )
    with project(tmp_path, upgrading(body), before=before + "INSERT INTO t VALUES (1, 'a', 2, 3);") as ours:
        ours.upgrade()
        assert {"ix_é", "ix_É"} <= ours.schema().keys()
        assert "UNIQUE" in ours.schema()["ix_é"]
        assert "VARCHAR(50)" in ours.schema()["t"]
        assert ours.ask("SELECT * FROM t") == [(1, "a", 2, 3)]


def test_a_temporary_trigger_takes_no_other_triggers_place(tmp_path: Path) -> None:
    before = (
        T
        + "CREATE TABLE said (what TEXT); CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO said VALUES ('x'); END;"
    )
    body = (
        "with op.batch_alter_table('t') as batch:\n    batch.alter_column('c', type_=sa.String(50))\n"
        "op.execute('CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END')\n"
        "op.execute('CREATE TEMP TABLE said (a)')\nop.execute('DROP TABLE said')"
    )
    with project(tmp_path, upgrading(body), before=before) as ours:
        ours.upgrade()
        assert {"x", "said"} <= ours.schema().keys()


VIEWS = T + "CREATE VIEW v AS SELECT * FROM t; CREATE VIEW w AS SELECT d FROM v;"
TRIGGER_OF = T + (
    "CREATE TABLE said (what TEXT);CREATE TRIGGER x AFTER UPDATE OF c ON t BEGIN INSERT INTO said VALUES ('x'); END;"
)
INSERTS_ALL = T + (
    "CREATE TABLE other (id INTEGER PRIMARY KEY); CREATE TRIGGER x AFTER INSERT ON other BEGIN INSERT INTO t VALUES (9, 'x', 1); END;"
)
DROPPED = "with op.batch_alter_table('t'{}) as batch:\n    batch.drop_column('{}')"
AWAY = """
op.execute('ALTER TABLE t RENAME TO t_old')
op.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, c VARCHAR(50), d INTEGER)')
op.execute('INSERT INTO t SELECT * FROM t_old')
op.execute('DROP TABLE t_old')
"""
INDEXED = TRIGGER_OF + "CREATE UNIQUE INDEX ix ON t (c);"
BROKEN = {
    "a view on a view": (VIEWS, DROPPED.format("", "d"), {"view w"}),
    "a view on a view, rebuilt": (VIEWS, DROPPED.format(", recreate='always'", "d"), {"view w"}),
    "a trigger OF a column, dropped directly": (TRIGGER_OF, DROPPED.format("", "c"), {"t: trigger x"}),
    "a trigger OF a column, in SQL": (TRIGGER_OF, "op.execute('ALTER TABLE t DROP COLUMN c')", {"t: trigger x"}),
    "a trigger that inserts whole rows": (
        INSERTS_ALL,
        "with op.batch_alter_table('t') as batch:\n    batch.add_column(sa.Column('e', sa.Integer))",
        {"other: trigger x"},
    ),
    "a trigger that inserts whole rows, without batch": (
        INSERTS_ALL,
        "op.add_column('t', sa.Column('e', sa.Integer))",
        {"other: trigger x"},
    ),
    "a rebuild in SQL by renaming away": (INDEXED, AWAY, {"t: index ix", "t: trigger x"}),
    "a rebuild in SQL by renaming away and back": (
        INDEXED,
        "for sql in ('ALTER TABLE t RENAME TO t_old', 'CREATE TABLE new (id INTEGER PRIMARY KEY, c TEXT, d INTEGER)',\n"
        "        'DROP TABLE t_old', 'ALTER TABLE new RENAME TO t'):\n    op.execute(sql)",
        {"t: index ix", "t: trigger x"},
    ),
    "what refers to the table renamed away": (
        T + "CREATE TABLE k (t_id INTEGER REFERENCES t (id)); CREATE VIEW v AS SELECT * FROM t;",
        AWAY,
        {"k: its foreign key, which refers to t_old now", "view v"},
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_would_no_longer_work_stops_the_step(case: str, tmp_path: Path) -> None:
    before, body, lost = BROKEN[case]
    with project(tmp_path, upgrading(body), before=before) as ours:
        schema = ours.schema()
        with pytest.raises(StepFailed) as caught:
            ours.upgrade()
        assert (caught.value.code, set(caught.value.fields["lost"])) == ("rebuild-loses", lost)
        assert ours.schema() == schema


WORKING = {
    "made again": (
        INDEXED,
        AWAY + "op.execute('CREATE UNIQUE INDEX ix ON t (c)')\n"
        "op.execute(\"CREATE TRIGGER x AFTER UPDATE OF c ON t BEGIN INSERT INTO said VALUES ('x'); END\")",
    ),
    "renamed and dropped for good": (
        INDEXED + "CREATE VIEW v AS SELECT c FROM t;",
        "op.rename_table('t', 't_old')\nop.drop_table('t_old')",
    ),
    "renamed there and back": (INDEXED, "op.rename_table('t', 'u')\nop.rename_table('u', 't')"),
    "dropped and added again": (TRIGGER_OF, DROPPED.format("", "c") + "\nop.add_column('t', sa.Column('c', sa.Text))"),
    "the trigger made anew": (
        INSERTS_ALL,
        "op.add_column('t', sa.Column('e', sa.Integer))\nop.execute('DROP TRIGGER x')\n"
        "op.execute('CREATE TRIGGER x AFTER INSERT ON other BEGIN INSERT INTO t (id) VALUES (9); END')",
    ),
}


@pytest.mark.parametrize("case", WORKING)
def test_what_works_again_at_the_end_does_not(case: str, tmp_path: Path) -> None:
    before, body = WORKING[case]
    with project(tmp_path, upgrading(body), before=before) as ours:
        ours.upgrade()
        assert ours.ask("SELECT version_num FROM alembic_version") == ["001"]


ANEW = """
    CREATE TABLE p (id INTEGER PRIMARY KEY);
    CREATE TABLE t (id INTEGER PRIMARY KEY, c VARCHAR(5) COLLATE NOCASE UNIQUE CHECK (length(c) < 3), d INTEGER,
        e INTEGER CONSTRAINT fk_e REFERENCES p (id), CONSTRAINT cd UNIQUE (c, d));
    INSERT INTO p VALUES (7);
    INSERT INTO t VALUES (1, 'a', 5, 7);
"""
ANEW_AGAIN = """
with op.batch_alter_table('t'{}) as batch:
    batch.drop_column('c')
    batch.add_column(sa.Column('c', sa.Integer))
    batch.drop_column('e')
    batch.add_column(sa.Column('e', sa.Integer, sa.ForeignKey('p.id', name='fk_e')))
"""


@pytest.mark.parametrize("options", ["", ", recreate='always'"])
def test_a_column_that_is_dropped_and_added_again_is_a_new_one(options: str, tmp_path: Path) -> None:
    with project(tmp_path, upgrading(ANEW_AGAIN.format(options)), before=ANEW) as ours:
        ours.upgrade()
        made = ours.schema()["t"]
        assert not [word for word in ("UNIQUE", "CHECK", "NOCASE", "VARCHAR") if word in made]
        assert made.count("fk_e") == 1
        assert ours.ask("SELECT id, c, d, e FROM t") == [(1, None, 5, None)]


def test_its_old_index_stops_the_step_as_when_it_is_only_dropped(tmp_path: Path) -> None:
    body = DROPPED.format("", "c") + "\n    batch.add_column(sa.Column('c', sa.Integer))"
    with project(tmp_path, upgrading(body), before=T + "CREATE UNIQUE INDEX ix ON t (c);") as ours:
        with pytest.raises(StepFailed) as caught:
            ours.upgrade()
        assert caught.value.fields["lost"] == ("t: index ix",)
