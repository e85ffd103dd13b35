"""What a bridge says is what runs, and it is offered only where nothing that depends on the tables forbids it."""

from pathlib import Path

import pytest

from migrator import Migrator, StampRefused
from tests.adopt.test_bridge import bridged
from tests.kit.database import execute
from tests.kit.projects import miniature


def test_a_percent_sign_stays_one(postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of what psycopg2 is sent they are doubled, of a file they are not."""
    body = """
    def upgrade():
        op.create_table(
            "t",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("a", sa.Text, server_default="50%"),
            sa.CheckConstraint("a LIKE '%@%'", name="ck"),
        )
        op.create_index("ix", "t", ["a"], postgresql_where=sa.text("a <> '%s'"))
    """
    execute(postgres_url, "CREATE TABLE t (id serial PRIMARY KEY, a text)")
    bridged(postgres_url, Path(miniature(tmp_path, body)), capsys, "001", "'%@%'", "'50%'", "'%s'")


def test_a_bridge_that_a_key_of_an_extra_table_forbids_is_not_offered(sqlite_url: str, tmp_path: Path) -> None:
    body = """
    def upgrade():
        op.create_table("u", sa.Column("id", sa.Integer, primary_key=True), sa.Column("code", sa.String(9)))
    """
    execute(
        sqlite_url, "CREATE TABLE u (id INTEGER NOT NULL PRIMARY KEY, code VARCHAR(9), CONSTRAINT uq UNIQUE (code))"
    )
    migrator = Migrator(miniature(tmp_path / "project", body), database_url=sqlite_url)
    assert migrator.adopt(fix=True).bridge is not None
    execute(sqlite_url, "CREATE TABLE extra (code VARCHAR(9) REFERENCES u (code))")
    with pytest.raises(StampRefused, match="foreign key mismatch") as refused:
        migrator.adopt(fix=True)
    assert refused.value.code == "bridge-incomplete"


def test_a_bridge_that_a_view_or_another_table_forbids_is_not_offered(postgres_url: str, tmp_path: Path) -> None:
    """They are no revision's, so that a copy of the history's tables alone knows nothing of them."""
    body = """
    def upgrade():
        op.create_table("t", sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.String(50)))
        op.create_table("u", sa.Column("id", sa.Integer, primary_key=True), sa.Column("code", sa.String(9)))
    """
    config = miniature(tmp_path, body)
    execute(
        postgres_url,
        "CREATE TABLE t (id serial PRIMARY KEY, n varchar(20))",
        "CREATE TABLE u (id serial PRIMARY KEY, code varchar(9), CONSTRAINT uq UNIQUE (code))",
    )
    migrator = Migrator(config, database_url=postgres_url)
    assert migrator.adopt(fix=True).bridge is not None
    execute(
        postgres_url,
        "CREATE TABLE extra (code varchar(9) REFERENCES u (code))",
        "CREATE VIEW v AS SELECT n, code FROM t, extra",
        "CREATE VIEW w AS SELECT n FROM v",
    )
    with pytest.raises(StampRefused) as refused:
        migrator.adopt(fix=True)
    assert refused.value.code == "bridge-incomplete"
    for part in ("cannot alter type of a column used by a view", "constraint uq on table u"):
        assert part in str(refused.value)
