"""Batch mode alters a table in place on PostgreSQL, also where the revision asks for a copy, which would lose what is not reflected."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import Migrator, StepFailed
from migrator.dialects.postgresql.dialect import PostgreSQL
from migrator.dialects.schema_object import SchemaObject
from tests.kit.assertions import assert_says
from tests.kit.database import rows
from tests.kit.projects import miniature, upgrading

TABLE = """
op.execute('''
    CREATE TABLE orders (id serial PRIMARY KEY, code varchar(9) NOT NULL, note text, CONSTRAINT id_once UNIQUE (id));
    CREATE TABLE lines (id integer PRIMARY KEY, order_id integer REFERENCES orders);
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER kept BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION keep();
    CREATE POLICY mine ON orders USING (true);
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
    ALTER TABLE orders SET (fillfactor = 50);
    ALTER TABLE orders ALTER code SET STATISTICS 7;
    COMMENT ON TABLE orders IS 'as they came';
    GRANT SELECT ON orders TO PUBLIC;
    CREATE VIEW open_orders AS SELECT id FROM orders;
    INSERT INTO orders (code) VALUES ('a'), ('b');
    INSERT INTO lines VALUES (1, 2)
''')
"""
BATCH = """
with op.batch_alter_table("orders", recreate="always"{more}) as batch:
    batch.add_column(sa.Column("amount", sa.Integer(), server_default="1", nullable=False), insert_after="id")
    batch.alter_column("note", nullable=False, server_default="-")
    batch.create_check_constraint("amount_counts", "amount > 0")
"""


def objects(url: str) -> dict[str, SchemaObject]:
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        return PostgreSQL().objects(connection, ignore=["alembic_version", "migration_log"])


def test_a_copy_that_is_asked_for_is_not_made(postgres_url: str, tmp_path: Path) -> None:
    filled = 'op.execute("UPDATE orders SET note = code")'
    config = miniature(tmp_path, upgrading(TABLE), upgrading(filled + BATCH.format(more="")))
    engine = Migrator(config, database_url=postgres_url)
    engine.upgrade("001")
    before = rows(postgres_url, "SELECT 'orders'::regclass::oid")
    there = objects(postgres_url)
    engine.upgrade()
    assert rows(postgres_url, "SELECT 'orders'::regclass::oid") == before
    after = objects(postgres_url)
    assert after.keys() == there.keys()
    assert [name for name in after if after[name] != there[name]] == ["orders"]
    assert set(map(str, there["orders"].rules)) <= set(map(str, after["orders"].rules))
    assert rows(postgres_url, "SELECT id || code || note || amount FROM orders") == ["1aa1", "2bb1"]


def test_what_only_a_copy_can_take_is_refused(postgres_url: str, tmp_path: Path) -> None:
    copied = BATCH.format(more=', table_args=[sa.CheckConstraint("id > 0", name="id_counts")]')
    config = miniature(tmp_path, upgrading(TABLE), upgrading(copied))
    engine = Migrator(config, database_url=postgres_url)
    engine.upgrade("001")
    before = objects(postgres_url)
    with pytest.raises(StepFailed) as failed:
        engine.upgrade()
    assert_says(
        str(failed.value),
        "step-failed",
        "table_args are for a copy",
        consequence="The upgrade of 002 was rolled back; the database is at 001.",
    )
    assert objects(postgres_url) == before


def test_the_sql_alters_in_place_too(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path, upgrading(TABLE), upgrading(BATCH.format(more="")))
    written = Migrator(config, database_url=postgres_url).sql("upgrade", "001:002")
    assert "ALTER TABLE orders ADD COLUMN amount" in written
    assert "_alembic_tmp" not in written
