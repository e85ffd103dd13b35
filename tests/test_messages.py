"""Errors that belong to no other test: met for real, with their code, their text and what they left."""

from pathlib import Path

import psycopg2
import pytest
from alembic.util import CommandError

from migrator import DatabaseError, HistoryError, LockError, Migrator, NotAtHead, StepFailed
from migrator.messages import render
from tests.kit.assertions import assert_says
from tests.kit.database import execute, heads, tables
from tests.kit.projects import miniature

ANIMALS = """
def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
"""
PLANTS = ANIMALS.replace("animals", "plants")
LETS_GO = """
def upgrade():
    op.create_table("stones", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("SELECT pg_advisory_unlock_all()")
"""
IF_NOT_EXISTS = """
def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_name", "animals", ["name"], unique=True, postgresql_concurrently=True, if_not_exists=True)
"""


def test_a_session_that_lost_the_lock_begins_no_further_step(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", LETS_GO, ANIMALS)
    with pytest.raises(LockError) as lost:
        Migrator(config, database_url=postgres_url).upgrade()
    assert lost.value.code == "lock-lost"
    words = ("no longer holds the migration lock", "MIGRATION_DATABASE_URL")
    assert_says(str(lost.value), "lock-lost", *words, consequence="The step that was about to begin was not begun.")
    assert (heads(postgres_url), "animals" in tables(postgres_url)) == (["001"], False)


def test_an_invalid_index_is_not_taken_for_the_one_that_a_revision_asks_for(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS, IF_NOT_EXISTS)
    Migrator(config, database_url=postgres_url).upgrade("001")
    execute(postgres_url, "INSERT INTO animals (name) VALUES ('ant'), ('ant')")
    connection = psycopg2.connect(postgres_url.replace("+psycopg2", ""))
    connection.autocommit = True
    with pytest.raises(psycopg2.errors.UniqueViolation):
        connection.cursor().execute("CREATE UNIQUE INDEX CONCURRENTLY ix_name ON animals (name)")
    connection.close()
    with pytest.raises(StepFailed) as refused:
        Migrator(config, database_url=postgres_url).upgrade()
    assert refused.value.code == "index-invalid"
    words = ("ix_name is INVALID", "psql -c 'DROP INDEX CONCURRENTLY public.ix_name'")
    assert_says(str(refused.value), "index-invalid", *words, consequence="was not recorded as applied")
    assert heads(postgres_url) == ["001"]


def test_what_an_env_py_of_alembics_does_is_not_called_ours(sqlite_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS, stock=True, url=sqlite_url)
    with pytest.raises(HistoryError) as refused:
        Migrator(config, database_url=sqlite_url).upgrade()
    assert refused.value.code == "not-our-environment"
    consequence = "without the engine's guarantees"
    assert_says(str(refused.value), "not-our-environment", "does not call migrator.run", consequence=consequence)


def test_a_program_that_needs_the_head_is_told_where_the_database_is(database_url: str, tmp_path: Path) -> None:
    engine = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS), database_url=database_url)
    engine.upgrade("001")
    with pytest.raises(NotAtHead) as behind:
        engine.require_head()
    assert (behind.value.code, behind.value.exit_code) == ("not-at-head", 1)
    assert_says(str(behind.value), "not-at-head", "The database is at 001, and this program needs 002.")


def test_alembics_own_refusal_is_shown_in_its_own_words(tmp_path: Path, sqlite_url: str) -> None:
    engine = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS), database_url=sqlite_url)

    def refuse(config: object) -> None:
        raise CommandError("nothing to merge here")

    with pytest.raises(HistoryError) as refused:
        engine.call(refuse)
    assert refused.value.code == "alembic"
    assert_says(str(refused.value), "alembic", "nothing to merge here", consequence="This is Alembic's own answer.")


def test_an_error_is_alembics_too_and_its_first_line_stands_alone() -> None:
    error = DatabaseError("connection-in-transaction")
    assert isinstance(error, CommandError)
    assert str(error) == render("connection-in-transaction", {})
    assert str(error).splitlines()[0] == "The connection handed to run() is already in a transaction."
