"""Without its journal SQLite rolls nothing back: the engine looks before each step, and says no."""

import logging
from pathlib import Path

import pytest

from migrator import DatabaseError, Migrator
from tests.kit.assertions import assert_says
from tests.kit.database import logged, state, tables
from tests.kit.projects import ANIMALS, make_project, miniature, upgrading

ENV = """
import sqlalchemy as sa
from alembic import context

from migrator import run

engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url") or {url!r}, poolclass=sa.pool.NullPool)

@sa.event.listens_for(engine, "connect")
def journal(driver, record):
    driver.execute("PRAGMA journal_mode = {mode}")

with engine.connect() as connection:
    run(connection, target_metadata=sa.MetaData())
"""


def test_a_database_without_a_journal_is_refused_before_the_first_write(sqlite_url: str, tmp_path: Path) -> None:
    make_project(tmp_path / "project", [ANIMALS], env=ENV.format(url=sqlite_url, mode="OFF"))
    with pytest.raises(DatabaseError) as refused:
        Migrator(str(tmp_path / "project" / "alembic.ini"), database_url=sqlite_url).upgrade()
    assert_says(str(refused.value), "journal-off", "has journal_mode OFF")
    assert tables(sqlite_url) == set()


def test_a_revision_that_switches_it_off_in_a_block_is_stopped_behind_it(sqlite_url: str, tmp_path: Path) -> None:
    off = "with op.get_context().autocommit_block():\n    op.execute('PRAGMA journal_mode = OFF')"
    config = miniature(tmp_path / "project", ANIMALS, upgrading(f"{off}\nop.execute('INSERT INTO animals VALUES (1)')"))
    Migrator(config, database_url=sqlite_url).upgrade("001")
    before = state(sqlite_url)
    with pytest.raises(DatabaseError) as refused:
        Migrator(config, database_url=sqlite_url).upgrade()
    assert_says(str(refused.value), "journal-off", consequence="the database is at 001")
    assert state(sqlite_url) == before


def test_a_journal_in_memory_is_warned_of(sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_project(tmp_path / "project", [ANIMALS], env=ENV.format(url=sqlite_url, mode="MEMORY"))
    with caplog.at_level(logging.WARNING, "migrator"):
        Migrator(str(tmp_path / "project" / "alembic.ini"), database_url=sqlite_url).upgrade()
    assert "journal_mode is MEMORY" in caplog.text
    assert logged(sqlite_url) == ["001"]
