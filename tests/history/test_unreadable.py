"""Tables that another program has written into: what cannot be read is named, with the row, and nothing ends in a traceback."""

from pathlib import Path

import pytest

from migrator import DatabaseError, Migrator
from tests.kit.assertions import assert_refused, assert_says
from tests.kit.database import execute, heads, state
from tests.kit.fork_server import Forks, Job
from tests.kit.projects import ANIMALS, PLANTS, STONES, miniature


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Migrator:
    """A project of three revisions, two of them applied."""
    made = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS, STONES), database_url=database_url)
    made.upgrade("002")
    return made


ANY = [
    ("outcome = 'begun', statements = '{\"a\": 1}'", "statements"),
    ("outcome = 'begun', statements = '[1]'", "statements"),
]
ONLY_SQLITE_STORES = [
    ("finished_at = 'soon'", "finished_at"),
    ("finished_at = 5", "finished_at"),
    ("duration_ms = 'long'", "duration_ms"),
    ("checksum = x'00'", "checksum"),
    ("outcome = 'begun', statements = 'no JSON'", "statements"),
]


def assert_it_is_named(engine: Migrator, forks: Forks, url: str, change: str, column: str) -> None:
    execute(url, f"UPDATE migration_log SET {change} WHERE revision = '002'")
    before = state(url)
    status, log, upgrade = forks.run(*(Job([name], str(engine.path), url) for name in ("status", "log", "upgrade")))
    log_table = "public.migration_log" if "postgresql" in url else "migration_log"
    assert_refused(status, "log-unreadable", f"The row with id 2 in {log_table} has", f"in the column {column}")
    assert_refused(log, "log-unreadable", f"in the column {column}")
    assert (upgrade.code, "Traceback" in upgrade.stderr, "log-unreadable" in upgrade.stderr) == (2, False, True)
    assert state(url) == before
    execute(url, "DELETE FROM migration_log WHERE id = 2")
    assert engine.upgrade().after == ("003",)


@pytest.mark.parametrize(("change", "column"), ANY)
def test_a_row_of_the_log_that_cannot_be_read_is_named(
    engine: Migrator, forks: Forks, database_url: str, change: str, column: str
) -> None:
    assert_it_is_named(engine, forks, database_url, change, column)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("change", "column"), ONLY_SQLITE_STORES)
def test_on_sqlite_a_column_may_hold_anything(
    engine: Migrator, forks: Forks, database_url: str, change: str, column: str
) -> None:
    assert_it_is_named(engine, forks, database_url, change, column)


@pytest.mark.parametrize("found", ["NULL", "'002'"], ids=("NULL", "twice"))
def test_a_version_table_with_a_row_that_alembic_never_writes_is_named_and_corrected(
    engine: Migrator, forks: Forks, database_url: str, found: str
) -> None:
    execute(
        database_url,
        "DROP TABLE alembic_version",
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        f"INSERT INTO alembic_version VALUES ('002'), ({found})",
    )
    words = "a row that is NULL" if found == "NULL" else "the row 002 twice"
    before = state(database_url)
    config = str(engine.path)
    for result in forks.run(*(Job([name], config, database_url) for name in ("current", "status", "upgrade", "log"))):
        assert_refused(
            result, "version-table-unusable", f"The version table alembic_version has {words}", "--purge 002"
        )
    (stock,) = forks.run(Job(["current"], config, database_url, program="alembic"))
    assert "Traceback" not in stock.stderr
    assert_says(stock.stdout, "version-table-unusable", words)
    with pytest.raises(DatabaseError):
        engine.downgrade()
    assert state(database_url) == before
    assert engine.stamp("002", purge=True).after == ("002",)
    assert (engine.upgrade().after, heads(database_url)) == (("003",), ["003"])
