"""A log of an older release is read as it is and completed by the first run that writes; a foreign table of its name is left alone."""

from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from migrator import DatabaseError, HistoryError, Migrator, StepFailed
from migrator.dialects import named
from migrator.history.log_table import table_of
from tests.history.histories import history, make_log_older, write_as_an_older_engine
from tests.history.test_two_histories import CLOUDS, interrupted
from tests.kit.assertions import assert_says
from tests.kit.database import ask, execute, heads, indexes, logged, rows, state, tables
from tests.kit.projects import ANIMALS, NOTHING, PLANTS, STONES, miniature, revision_path

THEIRS = "CREATE TABLE migration_log (id INTEGER PRIMARY KEY, message VARCHAR(100))"


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Migrator:
    """A project of three revisions, two of them applied."""
    made = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS, STONES), database_url=database_url)
    made.upgrade("002")
    return made


def owners(url: str) -> list[str | None]:
    return rows(url, "SELECT version_table FROM migration_log ORDER BY id")


@pytest.mark.parametrize("also", [(), ("file",)], ids=("the first release", "a draft of it"))
def test_reading_leaves_it_as_it_is_and_the_next_run_completes_it(
    engine: Migrator, database_url: str, also: tuple[str, ...]
) -> None:
    status = engine.status()
    make_log_older(database_url, *also)
    before = state(database_url)
    assert (engine.status(), [entry.revision for entry in engine.log()]) == (status, ["002", "001"])
    assert [step.revision for step in engine.plan()] == ["003"]
    assert engine.upgrade("002").steps == ()
    assert {entry.version_table for entry in engine.log()} == {None}
    assert state(database_url) == before
    engine.upgrade()
    assert owners(database_url) == ["alembic_version"] * 3
    assert len(indexes(database_url, "migration_log")) == 2
    assert (engine.status().revisions[:2], logged(database_url)) == (status.revisions[:2], ["001", "002", "003"])


def test_a_file_that_is_gone_is_known_by_an_older_log_too(engine: Migrator, database_url: str) -> None:
    make_log_older(database_url)
    revision_path(engine.path, "002").unlink()
    revision_path(engine.path, "003").unlink()
    with pytest.raises(HistoryError) as refused:
        engine.status()
    assert refused.value.code == "database-ahead"
    assert engine.downgrade(run_stored=True).after == ("001",)


def test_what_an_older_engine_writes_into_a_newer_log_is_this_historys(engine: Migrator, database_url: str) -> None:
    write_as_an_older_engine(database_url, "002", "another text")
    assert [revision.edited for revision in engine.status().revisions] == [False, True, False]
    assert engine.log(1)[0].version_table is None
    engine.upgrade()
    assert owners(database_url) == ["alembic_version"] * 4
    assert [revision.edited for revision in engine.status().revisions] == [False, True, False]


def test_where_two_histories_shared_it_a_text_that_may_be_the_others_is_not_used(
    engine: Migrator, database_url: str, tmp_path: Path
) -> None:
    other = history(tmp_path / "other", database_url, STONES, CLOUDS, version_table="other_version")
    other.upgrade()
    make_log_older(database_url)
    revision_path(engine.path, "002").unlink()
    revision_path(engine.path, "003").unlink()
    for command in (engine.status, lambda: engine.downgrade(run_stored=True)):
        with pytest.raises(HistoryError) as refused:
            command()
        assert refused.value.code == "database-unknown-revision"
    assert not any(revision.edited for revision in other.status().revisions)
    assert tables(database_url) >= {"animals", "plants", "stones", "clouds"}


def test_where_two_histories_shared_it_a_step_that_was_interrupted_stops_both_until_its_own_finishes_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = history(tmp_path / "other", database_url, STONES, NOTHING, version_table="other_version")
    other.upgrade("001")
    broken, flag = interrupted(tmp_path / "broken", database_url, monkeypatch)
    flag.unlink()
    make_log_older(database_url)
    for command in (other.upgrade, lambda: other.stamp("002", verify=False)):
        with pytest.raises(DatabaseError) as unclear:
            command()
        assert_says(str(unclear.value), "log-entry-unclaimed", "interrupted the upgrade of 002", "UPDATE counted SET n")
    with pytest.raises(StepFailed) as refused:
        broken.upgrade()
    assert (refused.value.code, ask(database_url, "SELECT n FROM counted")) == ("step-interrupted", 101)
    broken.stamp("002", verify=False)
    assert (other.upgrade().after, logged(database_url, "begun")) == (("002",), [])


def test_another_programs_table_is_refused_and_left_alone(database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS)
    execute(database_url, THEIRS, "INSERT INTO migration_log VALUES (1, 'theirs')")
    engine, before = Migrator(config, database_url=database_url), state(database_url)
    table = "table public.migration_log is" if "postgresql" in database_url else "table migration_log is"
    for command in (engine.upgrade, engine.status, engine.log):
        with pytest.raises(DatabaseError) as refused:
            command()
        assert_says(str(refused.value), "log-table-foreign", f"{table} not", "no column revision, descr")
    assert state(database_url) == before
    named = Migrator(config, database_url=database_url, log_table="engine_log")
    named.upgrade()
    assert [entry.revision for entry in named.log()] == ["001"]
    assert not named.status().revisions[0].edited
    assert (heads(database_url), rows(database_url, "SELECT message FROM migration_log")) == (["001"], ["theirs"])
    assert Migrator(config, database_url=database_url, log=False).status().at == ("001",)


MEETS_THE_OTHER = """
def upgrade():
    import threading
    connection, met = op.get_bind(), []
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"

    def made_before(connection, cursor, statement, *_):
        if "CREATE TABLE migration_log" in statement and not met:
            met.append(statement)
            other = connection.engine.connect()
            other.exec_driver_sql(os.environ["TABLE"])
            threading.Thread(target=commit_when_it_waits, args=(other,)).start()

    def commit_when_it_waits(other):
        while not other.exec_driver_sql(waiting).scalar_one():
            pass
        other.commit()
        other.close()

    sa.event.listen(connection, "before_cursor_execute", made_before)
"""


def test_the_first_runs_of_two_histories_at_the_same_time_share_the_log_that_one_of_them_makes(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's transaction has made the table, and commits while this one waits to make it."""
    table = table_of(named("postgresql"), "migration_log", None)
    monkeypatch.setenv("TABLE", str(CreateTable(table).compile(dialect=postgresql.dialect())))
    engine = Migrator(miniature(tmp_path / "project", MEETS_THE_OTHER), database_url=postgres_url)
    report = engine.upgrade()
    assert (report.after, report.steps[0].tries, logged(postgres_url)) == (("001",), 1, ["001"])
