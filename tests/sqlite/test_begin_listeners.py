"""SQLAlchemy's recipe for transactions on SQLite, in the project's own env.py: the engine begins in its own way, and the recipe stays."""

from pathlib import Path

import pytest

from migrator import Migrator, StepFailed
from tests.kit.database import heads, logged, rows, state
from tests.kit.projects import ANIMALS, PLANTS, make_project, upgrading

ENV = """
import sqlalchemy as sa

from migrator import run

engine = sa.create_engine({url!r}, poolclass=sa.pool.NullPool)

@sa.event.listens_for(engine, "connect")
def connected(driver, record):
    driver.isolation_level = None

@sa.event.listens_for(engine, "begin")
def begun(connection):
    connection.exec_driver_sql("{begin}")

with engine.connect() as connection:
    run(connection, target_metadata=sa.MetaData())
    connection.rollback()
    assert connection.connection.driver_connection.isolation_level is None
    connection.execute(sa.text("SELECT 1"))
    assert connection.connection.driver_connection.in_transaction
"""
BLOCK = """
with op.get_context().autocommit_block():
    op.execute("INSERT INTO animals VALUES (1)")
op.execute("INSERT INTO animals VALUES (2)")
"""


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_listener_that_begins_is_no_obstacle(sqlite_url: str, tmp_path: Path, begin: str) -> None:
    bodies = [
        ANIMALS,
        PLANTS,
        upgrading(BLOCK),
        upgrading('op.execute("INSERT INTO animals VALUES (3)")\nraise KeyError'),
    ]
    make_project(tmp_path / "project", bodies, env=ENV.format(url=sqlite_url, begin=begin))
    engine = Migrator(str(tmp_path / "project" / "alembic.ini"), database_url=sqlite_url)
    engine.upgrade("003")
    assert rows(sqlite_url, "SELECT id FROM animals ORDER BY id") == [1, 2]
    before = state(sqlite_url)
    with pytest.raises(StepFailed):
        engine.upgrade()
    assert state(sqlite_url) == before
    engine.downgrade("001")
    assert (heads(sqlite_url), logged(sqlite_url, "failed")) == (["001"], ["004"])
