"""Two schemas are the same when they mean the same, however they are spelled."""

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from migrator.dialects import named
from migrator.dialects.expression import plain
from migrator.results.adoption import Difference
from migrator.schema.compare import compare
from migrator.schema.snapshot import Snapshot, snapshot
from tests.adopt.legacy_databases import is_sqlite
from tests.kit.database import execute, execute_script

POSTGRESQL = named("postgresql")
TABLES = """
CREATE TABLE parents (id INTEGER NOT NULL, kind VARCHAR(20) DEFAULT 'a' NOT NULL, CONSTRAINT pk_parents PRIMARY KEY (id));
CREATE TABLE children (
    id INTEGER NOT NULL,
    parent INTEGER,
    email VARCHAR(100),
    amount INTEGER DEFAULT 0,
    CONSTRAINT pk_children PRIMARY KEY (id),
    CONSTRAINT fk_parent FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE,
    CONSTRAINT uq_email UNIQUE (email),
    CONSTRAINT ck_amount CHECK (amount >= 0)
);
CREATE INDEX ix_parent ON children (parent);
CREATE UNIQUE INDEX ix_lower ON children (lower(email));
CREATE INDEX ix_some ON children (amount) WHERE amount > 5;
"""
CHANGES = {
    "type": ("amount INTEGER", "amount BIGINT", "children.amount is BIGINT and should be INTEGER"),
    "nullability": ("parent INTEGER,", "parent INTEGER NOT NULL,", "children.parent is NOT NULL and should be NULL"),
    "default": ("amount INTEGER DEFAULT 0", "amount INTEGER DEFAULT 1", "the default of children.amount is 1"),
    "primary key": ("PRIMARY KEY (id),\n", "PRIMARY KEY (id, amount),\n", "primary key pk_children on children: (id, amount)"),
    "foreign key": ("ON DELETE CASCADE", "ON DELETE RESTRICT", "foreign key fk_parent on children"),
    "unique": ("UNIQUE (email)", "UNIQUE (email, parent)", "unique uq_email on children: (email, parent) is there"),
    "check": ("amount >= 0", "amount >= 1", "check ck_amount on children: amount>=1 is there"),
    "index": ("ON children (parent)", "ON children (amount)", "index ix_parent on children: (amount) is there"),
    "unique index": ("CREATE UNIQUE INDEX ix_lower", "CREATE INDEX ix_lower", "index ix_lower on children"),
    "expression index": ("lower(email)", "upper(email)", "index ix_lower on children"),
    "partial index": ("amount > 5", "amount > 6", "index ix_some on children"),
    "column": ("    amount INTEGER DEFAULT 0,", "    amount INTEGER DEFAULT 0, extra TEXT,", "the column children.extra (TEXT) is there"),
}  # fmt: skip


def seen(url: str, script: str) -> Snapshot:
    """The snapshot of a database that has had nothing but the script."""
    execute(url, "DROP TABLE IF EXISTS children", "DROP TABLE IF EXISTS parents")
    execute_script(url, script)
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return snapshot(connection, named(engine.dialect.name))


def test_each_change_is_a_difference_in_words_and_the_same_again_is_none(database_url: str) -> None:
    wanted = seen(database_url, TABLES)
    assert compare(seen(database_url, TABLES), wanted) == ()
    for name, (old, new, words) in CHANGES.items():
        assert TABLES.count(old) == 1 or name == "check", name
        differences = compare(seen(database_url, TABLES.replace(old, new)), wanted)
        assert any(words in difference.text for difference in differences), (name, differences)
        assert not any(difference.harmless for difference in differences), (name, differences)


def test_what_is_only_spelled_differently_is_the_same(database_url: str) -> None:
    spelled = TABLES.replace("(amount >= 0)", "((  AMOUNT>=0 ))").replace("lower(email)", "LOWER( email )")
    assert compare(seen(database_url, spelled), seen(database_url, TABLES)) == ()


def test_an_index_of_another_name_is_harmless_and_a_constraint_of_another_name_is_not(database_url: str) -> None:
    wanted = seen(database_url, TABLES)
    (index,) = compare(seen(database_url, TABLES.replace("ix_parent", "by_parent")), wanted)
    said = "the index ix_parent on children: (parent) is named by_parent"
    names = {"object": "ix_parent", "wanted": "ix_parent", "found": "by_parent"}
    assert index == Difference("children", said, harmless=True, kind="index name", **names)
    (check,) = compare(seen(database_url, TABLES.replace("ck_amount", "positive")), wanted)
    assert (check.harmless, "is named positive" in check.text) == (False, True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("((status)::text = ANY ((ARRAY['a'::character varying, 'it''s (x)'::character varying])::text[]))",
         "((status)::text = ANY (ARRAY[('a'::character varying)::text, ('it''s (x)'::character varying)::text]))"),
        ("((a > 1) AND (b < 2))", "(a > 1) and (b<2)"),
        ("lower(email::text)", "LOWER( ((email)::text) )"),
        ("'Free'::character varying", "('Free')"),
    ],
)  # fmt: skip
def test_expressions_are_compared_without_their_spelling(one: str, other: str) -> None:
    assert plain(one, POSTGRESQL) == plain(other, POSTGRESQL)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = 'x'", "a = 'X'"),
        ("(a OR b) AND c", "a OR (b AND c)"),
        ("a > 1", "a >= 1"),
        ("lower(a)", "a"),
        ("lower(a)", "lower((a)::text)"),
        ("a < b", "a::text < b::text"),
        ("lower((a)::varchar(3))", "lower(a)"),
        ("a > 0", '"A" > 0'),
        ("a = 'x  y'", "a = 'x y'"),
        ("a = '(x)'", "a = 'x'"),
        ("('now'::text)::date", "'now'::date"),
        ("'abcdef'::varchar(3)", "'abcdef'"),
        ("now2()", '"Now2"()'),
        ("a < - b", "a <- b"),
        ("'a'::text", "'a'::bpchar"),
        ("(a).b", "a.b"),
        ('"a - b"', "a - b"),
    ],
)
def test_what_means_something_else_stays_different(one: str, other: str) -> None:
    assert plain(one, POSTGRESQL) != plain(other, POSTGRESQL)


def test_an_enum_s_words_count(postgres_url: str) -> None:
    wanted = TABLES.replace("kind VARCHAR(20) DEFAULT 'a' NOT NULL", "kind mood")
    execute(postgres_url, "CREATE TYPE mood AS ENUM ('glad')")
    before = seen(postgres_url, wanted)
    execute(postgres_url, "ALTER TYPE mood ADD VALUE 'sad'")
    (difference,) = compare(seen(postgres_url, wanted), before)
    assert difference.text == "parents.kind is ENUM mood (glad, sad) and should be ENUM mood (glad)"
    assert not is_sqlite(postgres_url)
