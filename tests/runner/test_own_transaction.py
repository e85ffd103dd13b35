"""A revision that ends the step's transaction itself is refused, and what is said about the rest was asked of the database."""

from pathlib import Path

import pytest

from migrator import Migrator, MigratorError, StepFailed
from migrator.dialects.postgresql.session import PostgreSQLSession
from migrator.dialects.sqlite.session import SQLiteSession
from migrator.errors.progress import Progress, consequence
from tests.kit.assertions import assert_says
from tests.kit.database import heads, logged, rows, state, tables
from tests.kit.projects import (
    ANIMALS,
    PLANTS as PLANTS_TABLE,
    STONES,
    miniature,
    revision_path,
    upgrading,
    write_revisions,
)
from tests.postgresql.sessions import session
from tests.postgresql.severed import severed

PLANTS = 'op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))\n'
TREES = 'op.create_table("trees", sa.Column("id", sa.Integer, primary_key=True))\n'
RAW = "driver = op.get_bind().connection.dbapi_connection\n"
STOPPED = {
    "COMMIT": "op.execute('COMMIT')",
    "a comment in front": "op.execute('/* done; */ -- now\\n commit')",
    "END": "op.execute('END')",
    "ROLLBACK": "op.execute('ROLLBACK')",
    "a script": "op.execute('BEGIN; CREATE TABLE trees (id INTEGER); COMMIT')",
    "commit()": "op.get_bind().commit()",
    "commit() of the transaction": "op.get_bind().get_transaction().commit()",
    "rollback()": "op.get_bind().rollback()",
    "swallowed": "try:\n    op.get_bind().commit()\nexcept Exception:\n    pass",
    "rollback() of the driver": f"{RAW}driver.rollback()",
}
ROLLED_BACK = "The upgrade of 002 was rolled back; the database is at 001."


def upgrade_fails(config: str, url: str, *words: str, code: str, consequence: str) -> StepFailed:
    with pytest.raises(StepFailed) as failed:
        Migrator(config, database_url=url).upgrade()
    assert_says(str(failed.value), code, *words, consequence=consequence)
    return failed.value


@pytest.mark.parametrize("ending", STOPPED.values(), ids=STOPPED)
def test_what_ends_the_transaction_is_an_error_and_nothing_stays(
    database_url: str, tmp_path: Path, ending: str
) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading(f"{PLANTS}{ending}\n{TREES}"), STONES)
    Migrator(config, database_url=database_url).upgrade("001")
    before = state(database_url)
    for _ in range(2):
        upgrade_fails(
            config, database_url, "ended the transaction", code="step-transaction-ended", consequence=ROLLED_BACK
        )
        assert state(database_url) == before
    assert logged(database_url, "failed") == ["002", "002"]
    revision_path(tmp_path / "project", "002").unlink()
    write_revisions(tmp_path / "project", [upgrading(PLANTS + TREES)], first=2)
    assert Migrator(config, database_url=database_url).upgrade().after == ("003",)


def test_the_last_thing_in_a_revision_counts_too(database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading(PLANTS + "op.get_bind().rollback()"))
    Migrator(config, database_url=database_url).upgrade("001")
    upgrade_fails(config, database_url, "with rollback()", code="step-transaction-ended", consequence=ROLLED_BACK)
    assert heads(database_url) == ["001"]


@pytest.mark.parametrize(
    "ending", ["driver.commit()", "driver.executescript('CREATE TABLE trees (id)')", "with driver: pass"]
)
def test_on_sqlite_the_driver_may_not_commit_either(sqlite_url: str, tmp_path: Path, ending: str) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading(f"{PLANTS}{RAW}{ending}"))
    Migrator(config, database_url=sqlite_url).upgrade("001")
    before = state(sqlite_url)
    upgrade_fails(
        config, sqlite_url, "with COMMIT on the driver's", code="step-transaction-ended", consequence=ROLLED_BACK
    )
    assert state(sqlite_url) == before


def test_on_sqlite_a_conflict_that_rolls_everything_back_is_noticed(sqlite_url: str, tmp_path: Path) -> None:
    conflict = (
        f"{RAW}try:\n    driver.execute('INSERT OR ROLLBACK INTO animals VALUES (1)')\nexcept Exception:\n    pass\n"
    )
    first = ANIMALS.replace(
        "\n\n\ndef downgrade", "\n    op.execute('INSERT INTO animals VALUES (1)')\n\n\ndef downgrade"
    )
    config = miniature(
        tmp_path / "project", first, upgrading(f"{PLANTS}{conflict}driver.execute('CREATE TABLE trees (id)')")
    )
    Migrator(config, database_url=sqlite_url).upgrade("001")
    before = state(sqlite_url)
    upgrade_fails(config, sqlite_url, code="step-transaction-ended", consequence=ROLLED_BACK)
    assert state(sqlite_url) == before


COMMITTED = "The version table still says 001, and statements that it committed before it failed remain."
BEHIND = {
    "commit() of the driver": f"{RAW}driver.commit()\n",
    "and its next transaction": f"{RAW}driver.commit()\ndriver.cursor().execute('CREATE TABLE shrubs (id INTEGER)')\n",
    "a script": "op.execute('CREATE TABLE shrubs (id INTEGER); COMMIT; CREATE TABLE herbs (id INTEGER)')\n",
    "a script with a transaction of its own": "op.execute('CREATE TABLE shrubs (id INTEGER); COMMIT; BEGIN')\n",
}


@pytest.mark.parametrize("ending", BEHIND.values(), ids=BEHIND)
def test_on_postgresql_what_was_committed_is_listed(postgres_url: str, tmp_path: Path, ending: str) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading(PLANTS + ending + TREES))
    Migrator(config, database_url=postgres_url).upgrade("001")
    failure = upgrade_fails(config, postgres_url, "CREATE TABLE plants", code="step-committed", consequence=COMMITTED)
    assert failure.progress is not None
    assert failure.progress.committed_itself
    assert "plants" in tables(postgres_url)
    assert "trees" not in tables(postgres_url)
    assert (heads(postgres_url), logged(postgres_url, "failed")) == (["001"], ["002"])
    [again] = rows(postgres_url, "SELECT statements::text FROM migration_log WHERE outcome = 'begun'")
    assert "CREATE TABLE plants" in again


AND_THEN = {
    "an error of the revision's own": "raise ValueError('then')",
    "an error of the database": "driver.cursor().execute('SELECT no_such_column')",
    "an error of the database through SQLAlchemy": "op.execute('SELECT no_such_column')",
    "the end of the program": "raise SystemExit('then')",
    "an interruption": "raise KeyboardInterrupt",
}


@pytest.mark.parametrize("then", AND_THEN.values(), ids=AND_THEN)
def test_on_postgresql_a_failure_behind_a_commit_is_never_called_rolled_back(
    postgres_url: str, tmp_path: Path, then: str
) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading(f"{PLANTS}{RAW}driver.commit()\n{then}"))
    Migrator(config, database_url=postgres_url).upgrade("001")
    with pytest.raises((StepFailed, KeyboardInterrupt)) as failed:
        Migrator(config, database_url=postgres_url).upgrade()
    progress: Progress = failed.value.progress  # type: ignore[union-attr,assignment]
    assert progress.committed_itself is True
    assert consequence(progress).startswith(COMMITTED)
    assert any("CREATE TABLE plants" in text for text in progress.stayed)
    assert "plants" in tables(postgres_url)
    if isinstance(failed.value, StepFailed):
        assert failed.value.code == "step-committed"
    assert logged(postgres_url, "failed") == ["002"]


def test_on_postgresql_a_step_that_has_committed_is_not_tried_again(postgres_url: str, tmp_path: Path) -> None:
    body = f'op.execute("INSERT INTO animals VALUES (nextval(\'twice\'))")\n{RAW}driver.commit()\nop.execute("LOCK plants")'
    first = ANIMALS.replace("\n\n\ndef downgrade", "\n    op.execute('CREATE SEQUENCE twice')\n\n\ndef downgrade")
    config = miniature(tmp_path / "project", first, PLANTS_TABLE, upgrading(body))
    engine = Migrator(config, database_url=postgres_url, lock_timeout=50)
    engine.upgrade("002")
    with session(postgres_url, "SELECT count(*) FROM plants"), pytest.raises(StepFailed) as failed:
        engine.upgrade()
    assert failed.value.code == "step-committed"
    assert rows(postgres_url, "SELECT id FROM animals") == [1]


def test_on_postgresql_what_cannot_be_looked_up_is_not_said(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading(PLANTS + "op.execute('SELECT 1 AS cut_here')"))
    Migrator(config, database_url=postgres_url).upgrade("001")
    with (
        severed(postgres_url, mark="cut_here", when="at the mark", alone=True) as broken,
        pytest.raises(MigratorError) as failed,
    ):
        Migrator(config, database_url=broken).upgrade()
    assert failed.value.progress is not None
    assert failed.value.progress.committed_itself is None
    assert "Whether the upgrade of 002 was rolled back could not be looked up" in str(failed.value)
    assert Migrator(config, database_url=postgres_url).upgrade().after == ("002",)


def test_an_interruption_of_the_look_up_is_no_answer(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the second Ctrl-C of somebody who does not want to wait."""

    def interrupted(self: object) -> None:
        raise KeyboardInterrupt

    config = miniature(tmp_path / "project", ANIMALS, upgrading(PLANTS + "raise KeyboardInterrupt"))
    Migrator(config, database_url=database_url).upgrade("001")
    for session_of in (SQLiteSession, PostgreSQLSession):
        monkeypatch.setattr(session_of, "aftermath", interrupted)
    with pytest.raises(KeyboardInterrupt) as raised:
        Migrator(config, database_url=database_url).upgrade()
    progress: Progress = raised.value.progress  # type: ignore[attr-defined]
    assert "Whether the upgrade of 002 was rolled back could not be looked up" in consequence(progress)


def test_on_postgresql_the_way_forward_is_to_mend_the_file_and_say_so(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading(f"{PLANTS}{RAW}driver.commit()\n{TREES}"))
    upgrade_fails(config, postgres_url, code="step-committed", consequence=COMMITTED)
    revision_path(tmp_path / "project", "002").unlink()
    mended = upgrading("op.execute('DROP TABLE IF EXISTS plants')\n" + PLANTS + TREES, own="rerunnable = True")
    write_revisions(tmp_path / "project", [mended], first=2)
    assert Migrator(config, database_url=postgres_url).upgrade().after == ("002",)
    assert {"plants", "trees"} <= tables(postgres_url)


def test_savepoints_and_sessions_and_blocks_are_none_of_it(database_url: str, tmp_path: Path) -> None:
    body = f"""
        from sqlalchemy.orm import Session
        {PLANTS.strip()}
        with op.get_bind().begin_nested():
            op.execute("INSERT INTO plants VALUES (1)")
        try:
            with op.get_bind().begin_nested():
                op.execute("INSERT INTO plants VALUES (2)")
                raise KeyError
        except KeyError:
            pass
        op.execute("SAVEPOINT here")
        op.execute("INSERT INTO plants VALUES (3)")
        op.execute("ROLLBACK TO SAVEPOINT here")
        op.execute("RELEASE SAVEPOINT here")
        session = Session(bind=op.get_bind())
        session.execute(sa.text("INSERT INTO plants VALUES (4)"))
        session.commit()
        with op.get_context().autocommit_block():
            op.execute("INSERT INTO plants VALUES (5)")
        op.execute("INSERT INTO plants VALUES (6)")
    """
    config = miniature(tmp_path / "project", upgrading(body))
    assert Migrator(config, database_url=database_url).upgrade().after == ("001",)
    assert rows(database_url, "SELECT id FROM plants ORDER BY id") == [1, 4, 5, 6]


def test_what_went_back_to_a_savepoint_is_not_said_to_stay(database_url: str, tmp_path: Path) -> None:
    body = f"""
        {PLANTS.strip()}
        op.execute("SAVEPOINT one")
        op.execute("INSERT INTO plants VALUES (1)")
        op.execute("SAVEPOINT two")
        op.execute("INSERT INTO plants VALUES (2)")
        op.execute("ROLLBACK TO one")
        op.execute("INSERT INTO plants VALUES (3)")
        op.execute("RELEASE one")
        with op.get_context().autocommit_block():
            op.execute("SELECT no_such_column FROM plants")
    """
    config = miniature(tmp_path / "project", upgrading(body))
    with pytest.raises(StepFailed) as failed:
        Migrator(config, database_url=database_url).upgrade()
    committed = failed.value.fields["committed"]
    assert [text for text in committed if "INSERT" in text] == ["INSERT INTO plants VALUES (3)"]
    assert rows(database_url, "SELECT id FROM plants") == [3]
