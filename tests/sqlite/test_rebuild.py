"""What a rebuild of a SQLite table keeps: all that the step did not mean to change. Each is shown to be lost by stock Alembic."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from migrator import StepFailed
from tests.kit.projects import upgrading
from tests.kit.scenario import Scenario, project, scenario

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::sqlalchemy.exc.SAWarning"
)  # stock Alembic's own

KEPT = (
    "rebuild_keeps_what_hangs_on_the_table",
    "rebuild_keeps_a_view",
    "rebuild_keeps_the_definition",
    "rebuild_keeps_generated_columns",
)
ORDERS = """
    CREATE TABLE orders (id INTEGER PRIMARY KEY, email TEXT, status VARCHAR(10), total INTEGER CHECK (total > 0), spare TEXT,
        CHECK (total < 1000 OR spare IS NULL));
    CREATE TABLE audit (what TEXT);
    INSERT INTO orders VALUES (1, 'ada@example.org', 'open', 10, NULL), (2, 'bob@example.org', 'open', 20, NULL);
"""
LONGER = "with op.batch_alter_table('orders') as batch:\n    batch.alter_column('status', type_=sa.String(20))"
NO_TOTAL = LONGER + "\n    batch.drop_column('total')"


def plain(schema: dict[str, str]) -> dict[str, str]:
    """The schema without spaces, quotes and case, which an ALTER TABLE may change."""
    return {name: re.sub(r'[\s"]', "", sql).lower() for name, sql in schema.items()}


def shape(made: Scenario) -> dict[str, Any]:
    """What SQLite itself says of the tables and indexes, whatever their text."""
    found = {}
    for name in made.ask("SELECT name FROM sqlite_master WHERE type IN ('table', 'index') AND tbl_name = 'orders'"):
        pragmas = ("table_xinfo", "foreign_key_list", "index_list", "index_xinfo")
        found[name] = [sorted(map(str, made.ask(f"PRAGMA {pragma}({name})"))) for pragma in pragmas]
    return found


def changed(sql: str) -> str:
    return sql.replace("varchar(10)", "varchar(20)").replace("statustext,", "statustextnotnull,")


@pytest.mark.parametrize("name", KEPT)
def test_stock_alembic_fails_or_loses_something(name: str, tmp_path: Path) -> None:
    with scenario(name, tmp_path / "stock", stock=True, foreign_keys=False) as stock:
        before = plain(stock.schema())
        try:
            stock.upgrade()
        except (sa.exc.DBAPIError, sa.exc.CompileError):
            return
        assert set(before) - set(stock.schema()) or "collate" not in plain(stock.schema())["orders"]


@pytest.mark.parametrize("foreign_keys", [True, False])
@pytest.mark.parametrize("name", KEPT)
def test_a_rebuild_changes_what_the_step_changes_and_nothing_else(
    name: str, foreign_keys: bool, tmp_path: Path
) -> None:
    with scenario(name, tmp_path / "ours", foreign_keys=foreign_keys) as ours:
        before, shape_before, rows = plain(ours.schema()), shape(ours), ours.ask("SELECT * FROM orders")
        counted = ours.ask("SELECT * FROM sqlite_master WHERE name LIKE 'sqlite_%'") and ours.ask("PRAGMA stats")
        ours.upgrade()
        assert plain(ours.schema()) == {name: changed(sql) for name, sql in before.items()}
        assert ours.ask("SELECT * FROM orders") == rows
        ours.downgrade()
        assert plain(ours.schema()) == before
        assert shape(ours) == shape_before
        assert ours.ask("SELECT * FROM orders") == rows
        assert (ours.ask("PRAGMA stats") if counted else counted) == counted


def test_triggers_still_fire_and_estimates_stay(tmp_path: Path) -> None:
    with scenario("rebuild_keeps_what_hangs_on_the_table", tmp_path / "ours") as ours:
        estimates = sorted(ours.ask("SELECT * FROM sqlite_stat1"), key=str)
        ours.upgrade()
        assert sorted(ours.ask("SELECT * FROM sqlite_stat1"), key=str) == estimates
        with sqlite3.connect(ours.file) as connection:
            connection.execute("UPDATE orders SET status = 'paid' WHERE id = 1")
        connection.close()
        assert ours.ask("SELECT what FROM audit") == ["1paid"]
        assert ours.ask("SELECT total FROM orders") == [11, 21]


def test_an_id_that_was_given_out_is_not_given_out_again(tmp_path: Path) -> None:
    with scenario("rebuild_keeps_the_definition", tmp_path / "ours") as ours:
        ours.upgrade()
        assert ours.ask("SELECT * FROM sqlite_sequence") == [("orders", 2)]


def test_the_steps_own_index_and_trigger_take_the_place_of_those_put_back(tmp_path: Path) -> None:
    """As revisions written for stock Alembic do, which knew that a rebuild drops them."""
    before = ORDERS + (
        "CREATE INDEX ix_lower ON orders (lower(email));"
        "CREATE TRIGGER loud AFTER UPDATE ON orders BEGIN INSERT INTO audit VALUES ('old'); END;"
    )
    text = upgrading(
        LONGER + "\nop.execute('CREATE INDEX ix_lower ON orders (lower(status))')\n"
        "op.execute(\"CREATE TRIGGER loud AFTER UPDATE ON orders BEGIN INSERT INTO audit VALUES ('new'); END\")"
    )
    with project(tmp_path / "ours", text, before=before) as ours:
        ours.upgrade()
        assert "lower(status)" in ours.schema()["ix_lower"]
        assert "'new'" in ours.schema()["loud"]


def test_the_steps_own_renames_still_reach_views(tmp_path: Path) -> None:
    before = ORDERS + "CREATE VIEW seen AS SELECT id FROM orders;"
    with project(tmp_path / "ours", upgrading(LONGER + "\nop.rename_table('orders', 'sales')"), before=before) as ours:
        ours.upgrade()
        assert "sales" in ours.schema()["seen"]
        assert ours.ask("SELECT count(*) FROM seen") == [2]


def test_what_is_changed_by_name_is_changed(tmp_path: Path) -> None:
    body = """
        with op.batch_alter_table('orders', naming_convention={'ck': 'ck_%(table_name)s'}) as batch:
            batch.create_unique_constraint('uq_orders_email', ['email'])
            batch.alter_column('email', new_column_name='mail', nullable=False)
            batch.create_index('ix_orders_mail', ['mail'])
    """
    with project(tmp_path / "ours", upgrading(body), before=ORDERS) as ours:
        ours.upgrade()
        text = plain(ours.schema())
        assert "mailtextnotnull" in text["orders"]
        assert "unique(mail)" in text["orders"]
        assert "check(total>0)" in text["orders"]
        assert "orders(mail)" in text["ix_orders_mail"]


LOST = {
    "an index on a column that goes": ("CREATE INDEX ix_totals ON orders (total * 2);", "orders: index ix_totals"),
    "a quoted index": ('CREATE INDEX ix_totals ON orders (("total" + 1));', "orders: index ix_totals"),
    "a trigger": (
        "CREATE TRIGGER watch AFTER UPDATE ON orders BEGIN INSERT INTO audit VALUES (NEW.total); END;",
        "orders: trigger watch",
    ),
    "a trigger of that column": (
        "CREATE TRIGGER watch AFTER UPDATE OF total ON orders BEGIN INSERT INTO audit VALUES ('x'); END;",
        "orders: trigger watch",
    ),
    "another table's trigger": (
        "CREATE TRIGGER watch AFTER INSERT ON audit BEGIN UPDATE orders SET total = 1; END;",
        "audit: trigger watch",
    ),
    "a view": ("CREATE VIEW sums AS SELECT sum(total) AS s FROM orders;", "view sums"),
    "a view that quotes it": ('CREATE VIEW sums AS SELECT "total" FROM orders;', "view sums"),
}


@pytest.mark.parametrize("case", LOST)
def test_what_needs_a_column_that_goes_stops_the_step_until_it_is_said_to_be_meant(case: str, tmp_path: Path) -> None:
    extra, words = LOST[case]
    with project(tmp_path / "ours", upgrading(NO_TOTAL), before=ORDERS + extra) as ours:
        before = ours.schema()
        with pytest.raises(StepFailed) as caught:
            ours.upgrade()
        assert caught.value.code == "rebuild-loses"
        assert ours.schema() == before
        said = re.search(r"accept_loss = \(\n.*?\n\)", str(caught.value), re.DOTALL)
        assert said is not None
    own = said[0]
    for _ in range(2):  # the view or trigger is looked at when all else is settled
        with project(tmp_path / f"meant{_}", upgrading(NO_TOTAL, own=own), before=ORDERS + extra) as ours:
            try:
                ours.upgrade()
                assert words.split()[-1] not in ours.schema()
                return
            except StepFailed as error:
                own = own[:-1] + str(error).partition("accept_loss = (\n")[2].partition("\n)")[0].lstrip() + "\n)"
    pytest.fail("what the error says to write was not enough")


def test_a_loss_is_listed_with_the_words_that_accept_it(tmp_path: Path) -> None:
    before = ORDERS + "CREATE INDEX ix_totals ON orders (total * 2);"
    with project(tmp_path / "ours", upgrading(NO_TOTAL), before=before) as ours, pytest.raises(StepFailed) as caught:
        ours.upgrade()
    lines = str(caught.value).splitlines()
    assert lines[:3] == [
        "Revision 001 (001_step.py) changes the table orders and would lose or break:",
        "  - orders: CHECK (total < 1000 OR spare IS NULL)",
        "  - orders: index ix_totals",
    ]
    assert "    'orders: CHECK (total < 1000 OR spare IS NULL)'," in lines


def test_a_table_of_the_users_own_loses_no_column_and_no_constraint(tmp_path: Path) -> None:
    body = """
        known = sa.Table('orders', sa.MetaData(), sa.Column('id', sa.Integer, primary_key=True), sa.Column('status', sa.String(10)))
        with op.batch_alter_table('orders', copy_from=known) as batch:
            batch.alter_column('status', type_=sa.String(20))
    """
    with project(tmp_path / "stock", upgrading(body), before=ORDERS, stock=True) as stock:
        stock.upgrade()
        assert "email" not in stock.schema()["orders"]
    with project(tmp_path / "ours", upgrading(body), before=ORDERS) as ours, pytest.raises(StepFailed) as caught:
        ours.upgrade()
    assert "orders: column email" in str(caught.value)


BY_HAND = (
    "op.execute('CREATE TABLE new (id INTEGER PRIMARY KEY, email TEXT)')\n"
    "op.execute('INSERT INTO new SELECT id, email FROM orders')\n"
    "op.execute('DROP TABLE orders')\nop.rename_table('new', 'orders')\n"
)


def test_a_rebuild_written_out_in_sql_is_told_what_it_left_out(tmp_path: Path) -> None:
    before = ORDERS + (
        "CREATE INDEX ix_email ON orders (email);"
        "CREATE TRIGGER loud AFTER INSERT ON orders BEGIN INSERT INTO audit VALUES ('x'); END;"
    )
    with project(tmp_path / "ours", upgrading(BY_HAND), before=before) as ours, pytest.raises(StepFailed) as caught:
        ours.upgrade()
    assert "  - orders: index ix_email\n  - orders: trigger loud\n" in str(caught.value)
    made = BY_HAND + "op.create_index('ix_orders_email', 'orders', ['email'])"
    own = "accept_loss = ('orders: trigger loud',)"
    with project(tmp_path / "meant", upgrading(made, own=own), before=before) as meant:
        meant.upgrade()
        assert {"ix_orders_email"} == set(meant.schema()) - {"orders", "audit"}


def test_columns_come_and_go_without_a_rebuild(tmp_path: Path) -> None:
    executed: list[str] = []
    for stock in (True, False):
        with scenario(
            "columns_come_and_go_without_a_rebuild", tmp_path / str(stock), stock=stock, foreign_keys=False
        ) as made:
            before = plain(made.schema())
            executed.clear()
            sa.event.listen(made.engine, "before_cursor_execute", lambda *a: executed.append(a[2]))
            made.upgrade()
            assert any("_alembic_tmp_" in text for text in executed) is stock
            if not stock:
                assert made.ask("SELECT id, email, amount, note, paid FROM orders") == [
                    (1, "ada@example.org", 10, "", 0)
                ]
                assert "collatenocase" in plain(made.schema())["orders"]
                made.downgrade()
                assert not any("_alembic_tmp_" in text for text in executed)
                assert set(plain(made.schema())) == set(before)


def test_a_column_that_sqlite_does_not_drop_is_dropped_by_a_rebuild(tmp_path: Path) -> None:
    before = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b TEXT COLLATE NOCASE); INSERT INTO t VALUES (1, 'x', 'y');"
    body = "with op.batch_alter_table('t') as batch:\n    batch.drop_column('a')"
    with project(tmp_path / "ours", upgrading(body), before=before) as ours:
        ours.upgrade()
        assert plain(ours.schema())["t"] == "createtablet(idintegerprimarykey,btextcollatenocase)"
        assert ours.ask("SELECT * FROM t") == [(1, "y")]


def test_definitions_that_cannot_be_read_are_not_guessed_at(tmp_path: Path) -> None:
    before = "CREATE VIRTUAL TABLE t USING fts5 (a);"
    body = "with op.batch_alter_table('t') as batch:\n    batch.alter_column('a', type_=sa.BigInteger())"
    with project(tmp_path / "ours", upgrading(body), before=before) as ours, pytest.raises(StepFailed) as caught:
        ours.upgrade()
    assert caught.value.code == "table-sql-unreadable"


def test_rows_that_a_conflict_clause_would_leave_out_of_the_copy_stop_the_step(tmp_path: Path) -> None:
    before = "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE ON CONFLICT IGNORE); INSERT INTO t VALUES (1, '1'), (2, '01');"
    body = "with op.batch_alter_table('t') as batch:\n    batch.alter_column('code', type_=sa.Integer())"
    with project(tmp_path / "ours", upgrading(body), before=before) as ours:
        with pytest.raises(StepFailed, match="t: 1 of 2 rows"):
            ours.upgrade()
        assert sorted(ours.ask("SELECT code FROM t")) == ["01", "1"]


def test_what_would_be_kept_goes_when_the_revision_says_so(tmp_path: Path) -> None:
    own = "accept_loss = ('orders: COLLATE NOCASE on email', 'orders: AUTOINCREMENT on id')"
    with scenario("rebuild_keeps_the_definition", tmp_path / "before") as kept:
        before = (
            (kept.ask("SELECT sql FROM sqlite_master WHERE name = 'orders'")[0])
            + "; CREATE TABLE users (id INTEGER PRIMARY KEY);"
        )
    with project(tmp_path / "ours", upgrading(LONGER, own=own), before=before) as ours:
        ours.upgrade()
        assert "COLLATE" not in ours.schema()["orders"]
        assert "AUTOINCREMENT" not in ours.schema()["orders"]
        assert "CHECK (length(email) > 3)" in ours.schema()["orders"]
