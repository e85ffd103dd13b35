"""Foreign keys on SQLite: no child goes with a rebuilt parent, no broken key is committed, and nobody looks without a reason."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import StepFailed
from migrator.dialects.sqlite.sql.statement import read
from tests.kit.projects import upgrading
from tests.kit.scenario import Scenario, project, scenario

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::sqlalchemy.exc.SAWarning"
)  # stock Alembic's own

CHILDREN = "rebuild_of_a_parent_keeps_its_children"
FAMILY = """
    CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(50) UNIQUE, name TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), email VARCHAR(50) REFERENCES users (email));
    CREATE TABLE free (id INTEGER PRIMARY KEY, what TEXT);
    INSERT INTO users VALUES (1, 'ada', 'Ada'), (2, 'bob', 'Bob');
    INSERT INTO notes VALUES (1, 1, 'ada'), (2, 2, 'bob');
"""
ORPHANS = "INSERT INTO notes VALUES (7, 99, NULL), (8, 98, NULL);"
REBUILD = "with op.batch_alter_table('{}', recreate='always') as batch:\n    batch.alter_column('{}', type_={})"


def checks(made: Scenario) -> list[str]:
    """Every foreign_key_check from now on."""
    found: list[str] = []

    def executed(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "foreign_key_check" in statement:
            found.append(statement)

    sa.event.listen(made.engine, "before_cursor_execute", executed)
    return found


@pytest.mark.parametrize("foreign_keys", [True, False])
def test_a_rebuilt_parent_keeps_its_children(foreign_keys: bool, tmp_path: Path) -> None:
    question = "SELECT * FROM datasets"
    with scenario(CHILDREN, tmp_path / "stock", stock=True, foreign_keys=foreign_keys) as stock:
        before = stock.ask(question)
        stock.upgrade()
        assert (
            stock.ask(question) == before
        ) is not foreign_keys  # with foreign keys on, stock Alembic deletes them: exit 0
    with scenario(CHILDREN, tmp_path / "ours", foreign_keys=foreign_keys) as ours:
        asked = checks(ours)
        ours.upgrade()
        ours.downgrade()
        assert ours.ask(question) == before
        assert asked == []
        with ours.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == foreign_keys


def test_the_connection_handed_in_gets_its_foreign_keys_back(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'ours' / 'test.db'}", poolclass=sa.pool.StaticPool)
    (tmp_path / "ours").mkdir()
    with project(tmp_path / "ours" / "p", upgrading("op.drop_table('free')"), before="", engine=engine) as ours:
        with closing(sqlite3.connect(ours.file)) as connection:
            connection.executescript(FAMILY)
        ours.upgrade()
        with engine.connect() as same:
            assert same.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert same.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000
            assert same.exec_driver_sql("PRAGMA legacy_alter_table").scalar() == 0


BREAKING = {
    "a parent deleted": "op.execute('DELETE FROM users WHERE id = 1')",
    "a parent's key changed": "op.execute('UPDATE users SET id = 5 WHERE id = 1')",
    "a parent replaced": "op.execute(\"REPLACE INTO users VALUES (9, 'ada', 'Ada')\")",
    "a child inserted": "op.execute('INSERT INTO notes VALUES (3, 77, NULL)')",
    "a child moved": "op.get_bind().execute(sa.text('UPDATE notes SET user_id = :id'), {'id': 55})",
    "the parent dropped": "op.drop_table('users')",
    "a column with a default": "op.execute('ALTER TABLE free ADD COLUMN u INTEGER DEFAULT 44 REFERENCES users (id)')\n"
    "op.execute('INSERT INTO free (id) VALUES (1)')",
    "a parent's key converted": "op.execute('DELETE FROM notes WHERE id = 2')\nop.execute('DELETE FROM users WHERE id = 2')\n"
    + REBUILD.format("users", "email", "sa.Integer(), sqlite_using='length(email)'"),
    "a trigger": "op.execute('CREATE TRIGGER t AFTER INSERT ON free BEGIN DELETE FROM users; END')\n"
    "op.execute('INSERT INTO free VALUES (1, NULL)')",
    "the driver's own connection": "op.get_bind().connection.driver_connection.execute('DELETE FROM users')",
    "a new key": "with op.batch_alter_table('free') as batch:\n"
    "    batch.create_foreign_key('fk_free', 'users', ['id'], ['id'])\n"
    "op.execute('INSERT INTO free VALUES (12, NULL)')",
    "a child renamed afterwards": "op.execute('UPDATE notes SET user_id = 55')\nop.rename_table('notes', 'texts')",
    "a rebuild by hand": "op.execute('CREATE TABLE new AS SELECT * FROM users WHERE id = 1')\n"
    "op.execute('DROP TABLE users')\nop.rename_table('new', 'users')\nop.execute('CREATE UNIQUE INDEX i ON users (id)')\n"
    "op.execute('CREATE UNIQUE INDEX e ON users (email)')",
    "a parent without its key": "op.execute('CREATE TABLE new AS SELECT * FROM users')\n"
    "op.execute('DROP TABLE users')\nop.rename_table('new', 'users')",
    "a WITH before it": "op.execute('WITH old AS (SELECT 1 AS id) DELETE FROM users WHERE id IN (SELECT id FROM old)')",
}


@pytest.mark.parametrize("case", BREAKING)
def test_a_step_that_breaks_a_key_is_rolled_back(case: str, tmp_path: Path) -> None:
    with project(tmp_path / "ours", upgrading(BREAKING[case]), before=FAMILY) as ours:
        before = ours.schema(), ours.ask("SELECT * FROM users"), ours.ask("SELECT * FROM notes")
        with pytest.raises(StepFailed) as caught:
            ours.upgrade()
        assert caught.value.code == "foreign-keys-broken"
        assert (ours.schema(), ours.ask("SELECT * FROM users"), ours.ask("SELECT * FROM notes")) == before


def test_stock_alembic_commits_a_broken_key(tmp_path: Path) -> None:
    """SQLite itself does not look as long as foreign keys are off, which is how every connection begins."""
    with project(
        tmp_path / "stock", upgrading(BREAKING["a child moved"]), before=FAMILY, stock=True, foreign_keys=False
    ) as stock:
        stock.upgrade()
        assert stock.ask("SELECT user_id FROM notes") == [55, 55]


def test_the_error_names_row_column_and_parent(tmp_path: Path) -> None:
    with (
        project(tmp_path / "ours", upgrading(BREAKING["a child moved"]), before=FAMILY) as ours,
        pytest.raises(StepFailed) as caught,
    ):
        ours.upgrade()
    assert str(caught.value).splitlines()[:3] == [
        "Revision 001 (001_step.py) would leave 2 rows without the row that their foreign key names:",
        "  - notes row 1: (user_id) has no row in users",
        "  - notes row 2: (user_id) has no row in users",
    ]


@pytest.mark.parametrize(
    "body",
    [
        REBUILD.format("notes", "email", "sa.String(99)"),
        "op.execute('DELETE FROM notes WHERE id = 1')",
        "op.execute('UPDATE notes SET user_id = 2 WHERE id = 1')",
        "op.execute('DELETE FROM users WHERE id = 98')",
        "op.execute('UPDATE notes SET user_id = NULL WHERE id = 7')",
        "op.execute('DELETE FROM users WHERE id = 98')\nop.alter_column('notes', 'user_id', new_column_name='owner_id')",
        "op.execute('DELETE FROM users WHERE id = 98')\nop.rename_table('notes', 'texts')\nop.rename_table('users', 'people')",
        "op.execute('CREATE TABLE new (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id))')\n"
        "op.execute('INSERT INTO new SELECT id, user_id FROM notes')\n"
        "op.execute('DROP TABLE notes')\nop.rename_table('new', 'notes')",
    ],
)
def test_what_was_violated_before_does_not_stop_a_step(body: str, tmp_path: Path) -> None:
    with project(tmp_path / "ours", upgrading(body), before=FAMILY + ORPHANS) as ours:
        ours.upgrade()
        assert ours.ask("SELECT version_num FROM alembic_version") == ["001"]


def test_a_new_violation_beside_old_ones_stops_it(tmp_path: Path) -> None:
    body = "op.execute('UPDATE notes SET user_id = 1 WHERE id = 7')\nop.execute('UPDATE notes SET user_id = 97 WHERE id = 1')"
    with (
        project(tmp_path / "ours", upgrading(body), before=FAMILY + ORPHANS) as ours,
        pytest.raises(StepFailed) as caught,
    ):
        ours.upgrade()
    assert caught.value.fields["count"] == 1
    assert "notes row 1: (user_id)" in str(caught.value)


def test_old_violations_are_known_again_after_a_rebuild_that_gives_new_rowids(tmp_path: Path) -> None:
    before = FAMILY + (
        "CREATE TABLE tags (name TEXT, user_id INTEGER REFERENCES users (id));"
        "INSERT INTO tags VALUES ('gone', 1), ('old', 99), ('also', 98); DELETE FROM tags WHERE name = 'gone';"
    )
    body = "op.execute('UPDATE tags SET user_id = user_id')\n" + REBUILD.format("tags", "name", "sa.String(9)")
    with project(tmp_path / "ours", upgrading(body), before=before) as ours:
        ours.upgrade()


UNTOUCHED = [
    "op.create_table('t', sa.Column('id', sa.Integer, primary_key=True), sa.Column('u', sa.Integer, sa.ForeignKey('users.id')))",
    "op.create_index('ix', 'notes', ['user_id'])\nop.drop_index('ix', 'notes')",
    "op.add_column('notes', sa.Column('extra', sa.Integer))",
    "op.execute('ALTER TABLE notes ADD COLUMN second INTEGER REFERENCES users (id)')",
    REBUILD.format("users", "name", "sa.String(9)"),
    REBUILD.format("notes", "id", "sa.Integer()"),
    "op.execute('INSERT INTO free VALUES (1, NULL)')\nop.execute('UPDATE free SET id = 3')\nop.execute('DELETE FROM free')",
    "op.drop_table('free')",
    "op.execute(\"UPDATE users SET name = 'x' WHERE id = 1\")",
    "op.execute(\"INSERT INTO users VALUES (3, 'eve', 'Eve')\")",
    "with op.batch_alter_table('users') as batch:\n    batch.drop_column('name')",
    "with op.batch_alter_table('users') as batch:\n    batch.alter_column('email', new_column_name='mail')",
    "op.rename_table('users', 'people')",
]


@pytest.mark.parametrize("body", UNTOUCHED)
def test_nothing_is_checked_when_nothing_could_have_broken_a_key(body: str, tmp_path: Path) -> None:
    with project(tmp_path / "ours", upgrading(body), before=FAMILY) as ours:
        asked = checks(ours)
        ours.upgrade()
        assert asked == []


def test_only_the_tables_concerned_are_checked(tmp_path: Path) -> None:
    bodies = [
        BREAKING["a child inserted"].replace("77", "1"),
        "op.drop_table('free')",
        "op.execute('DELETE FROM users WHERE id = 9')",
    ]
    texts = [upgrading(body) for body in bodies]
    with project(tmp_path / "ours", *texts, before=FAMILY) as ours:
        asked = checks(ours)
        ours.upgrade()
        assert asked == ['PRAGMA main.foreign_key_check("notes")'] * 4


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("-- why\n  insert into main.users values (1)", ("INSERT", "users", False)),
        ("INSERT OR REPLACE INTO [users] VALUES (1)", ("INSERT", "users", True)),
        ("INSERT INTO users VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2", ("INSERT", "users", True)),
        ('UPDATE OR IGNORE "main"."users" AS u SET (id, name) = (1, 2)', ("UPDATE", "users", False)),
        ("WITH a AS (SELECT 1) UPDATE users SET id = 1", ("UPDATE", "users", False)),
        ("WITH a AS (DELETE FROM x RETURNING 1) SELECT 1", ("SELECT", "", False)),
        ("DELETE FROM users", ("DELETE", "users", False)),
        ("REPLACE INTO users VALUES (1)", ("REPLACE", "users", True)),
        ("CREATE UNIQUE INDEX IF NOT EXISTS main.ix ON users (id)", ("CREATE", "ix", False)),
        ("PRAGMA foreign_keys", ("SELECT", "", False)),
        (";", ("SELECT", "", False)),
    ],
)
def test_statements_are_read_for_what_they_do(sql: str, expected: tuple[str, str, bool]) -> None:
    does = read(sql)
    assert (does.verb, does.name, does.replaces) == expected
    assert does.known


def test_an_unknown_statement_is_not_taken_for_harmless() -> None:
    assert not read("FROBNICATE users").known


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("UPDATE t SET a = 1, b = max(c, d) WHERE e = 1", {"a", "b"}),
        ('UPDATE t SET "A b" = (SELECT x FROM y WHERE z = 1), c = 2 FROM q', {"a b", "c"}),
        ("UPDATE t SET (a, b) = (1, 2)", None),
    ],
)
def test_an_update_says_which_columns_it_sets(sql: str, columns: set[str] | None) -> None:
    assert read(sql).columns == (None if columns is None else frozenset(columns))
