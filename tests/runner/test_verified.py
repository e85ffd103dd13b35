"""What was said to have happened has happened: no transaction of somebody else's, and the heads read once more."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from migrator import DatabaseError, Migrator, StepFailed
from tests.kit.database import execute, heads, logged, tables
from tests.kit.doors import alembic_project
from tests.kit.fork_server import Forks, Job
from tests.kit.projects import ANIMALS, PLANTS, miniature

TAMPERS = """
def upgrade():
    op.execute("INSERT INTO alembic_version VALUES ('elsewhere')")
"""
A_SELECT = "    connection.exec_driver_sql('SELECT 1')\n"


@pytest.mark.parametrize("stock", [True, False], ids=("stock", "ours"))
def test_a_select_before_the_run_loses_it_with_stock_alembic_and_is_refused_here(
    forks: Forks, database_url: str, tmp_path: Path, stock: bool
) -> None:
    make = alembic_project("generic", changed=not stock, before=A_SELECT)
    config = make(tmp_path / "project", ANIMALS, PLANTS, url=database_url)
    (result,) = forks.run(Job(["upgrade", "head"], config, database_url, program="alembic"))
    assert heads(database_url) == []
    assert (result.code == 0) is stock
    if not stock:
        assert "The connection handed to run() is already in a transaction." in result.stdout
        assert tables(database_url) == set()


def test_a_connection_in_a_transaction_is_refused_and_left_in_it(database_url: str, tmp_path: Path) -> None:
    with sa.create_engine(database_url, poolclass=NullPool).connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        with pytest.raises(DatabaseError) as refused:
            Migrator(miniature(tmp_path / "project", ANIMALS), connection=connection).upgrade()
        assert refused.value.code == "connection-in-transaction"
        assert connection.in_transaction()
    assert tables(database_url) == set()


def test_a_connection_without_one_is_migrated_and_given_back_as_it_was(database_url: str, tmp_path: Path) -> None:
    engine = Migrator(miniature(tmp_path / "project", ANIMALS), database_url=database_url)
    with sa.create_engine(database_url, poolclass=NullPool).connect() as connection:
        before = session(connection)
        report = Migrator(engine.path, connection=connection).upgrade()
        assert (report.after, connection.in_transaction()) == (("001",), False)
        assert session(connection) == before
    assert engine.current() == ("001",)


def session(connection: sa.Connection) -> list[Any]:
    if connection.dialect.name == "sqlite":
        asked = ("PRAGMA foreign_keys", "PRAGMA busy_timeout", "PRAGMA locking_mode")
    else:
        asked = ("SELECT array_agg(name || setting ORDER BY name) FROM pg_settings", "SHOW search_path")
    answers = [connection.exec_driver_sql(question).scalar() for question in asked]
    connection.rollback()
    return [*answers, connection.get_isolation_level(), connection.in_transaction()]


def test_a_connection_in_autocommit_is_refused(database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS)
    plain = sa.create_engine(database_url, poolclass=NullPool)
    for engine in (plain.execution_options(isolation_level="AUTOCOMMIT"), plain):
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            with pytest.raises(DatabaseError) as refused:
                Migrator(config, connection=connection).upgrade()
            assert refused.value.code == "connection-autocommit"
    assert tables(database_url) == set()


def test_an_engine_in_autocommit_is_refused_or_its_steps_are_whole_all_the_same(
    database_url: str, tmp_path: Path
) -> None:
    body = f"{ANIMALS.partition('def downgrade')[0].rstrip()}\n    raise RuntimeError('half-way')\n"
    engine = sa.create_engine(database_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with pytest.raises((DatabaseError, StepFailed)):
        Migrator(miniature(tmp_path / "project", body), connection=engine).upgrade()
    assert "animals" not in tables(database_url)


def test_a_revision_that_tampers_with_the_version_table_is_found_out(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path / "project", ANIMALS, TAMPERS)
    (result,) = forks.run(Job(["upgrade"], config, database_url))
    assert (result.code, result.stdout) == (2, "")
    assert "the database is at 002, elsewhere and not at 002" in result.stderr
    assert "Committed in this run: 001, 002." in result.stderr
    assert "docs/errors.md#target-not-reached" in result.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = '001'",
        "DELETE FROM alembic_version",
        "INSERT INTO alembic_version VALUES ('elsewhere')",
    ],
)
def test_whoever_changes_the_version_table_right_after_the_last_commit_is_found_out(
    database_url: str, tmp_path: Path, statement: str
) -> None:
    engine = sa.create_engine(database_url, poolclass=NullPool)
    done: list[int] = []

    def tamper(_: Any) -> None:
        if heads(database_url) == ["002"] and not done:
            done.append(1)
            execute(database_url, statement)

    sa.event.listen(engine, "engine_connect", tamper)
    with pytest.raises(DatabaseError) as found:
        Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS), connection=engine).upgrade()
    assert (found.value.code, found.value.exit_code) == ("target-not-reached", 2)
    assert (found.value.fields["wanted"], found.value.fields["applied"]) == (("002",), ("001", "002"))


def test_a_run_that_waits_for_this_one_does_not_move_the_heads_before_they_are_read_again(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path / "project", ANIMALS, PLANTS)
    engine = sa.create_engine(database_url, poolclass=NullPool)
    others = []

    def downgrade(_: Any) -> None:
        if heads(database_url) == ["002"]:
            others.extend(forks.run(Job(["--lock-wait", "0", "downgrade"], config, database_url)))

    sa.event.listen(engine, "engine_connect", downgrade)
    assert Migrator(config, connection=engine).upgrade().after == ("002",)
    assert [other.code for other in others] == [2]
    assert "docs/errors.md#lock-timeout" in others[0].stderr


def test_a_run_that_ends_the_program_in_the_middle_of_a_step_is_an_error(
    forks: Forks, database_url: str, tmp_path: Path
) -> None:
    body = ANIMALS.replace("primary_key=True))\n\n", "primary_key=True))\n    raise SystemExit(0)\n\n", 1)
    (result,) = forks.run(Job(["upgrade"], miniature(tmp_path / "project", body), database_url))
    assert (result.code, "SystemExit: 0" in result.stderr) == (2, True)
    assert (heads(database_url), logged(database_url, "failed")) == ([], ["001"])
