"""What another migration runner left is shown, and copied into the log once."""

import json

import pytest

from tests.adopt.legacy.past import create_all
from tests.adopt.legacy_databases import cli, engine
from tests.kit.database import execute, heads, logged, rows

RUNNERS = {
    "_migrations": (
        "id INTEGER PRIMARY KEY, filename TEXT NOT NULL, applied_at TIMESTAMP",
        "(1, '001_first.sql', '2024-03-01 09:00:00'), (2, '002_second.sql', '2024-03-02 09:00:00')",
        [("001_first.sql", ""), ("002_second.sql", "")],
    ),
    "schema_migrations": (
        "version INTEGER PRIMARY KEY, applied_at TIMESTAMP, description TEXT",
        "(1, '2024-03-01 09:00:00', 'users'), (2, NULL, 'more')",
        [("1", "users"), ("2", "more")],
    ),
    "schema_migrations of Rails": ("version VARCHAR(255) PRIMARY KEY", "('20240301090000')", [("20240301090000", "")]),
    "schema_migrations of golang-migrate": (
        "version BIGINT PRIMARY KEY, dirty BOOLEAN NOT NULL",
        "(7, FALSE)",
        [("7", "")],
    ),
    '"SequelizeMeta"': ("name VARCHAR(255) PRIMARY KEY", "('1-a.js'), ('2-b.js')", [("1-a.js", ""), ("2-b.js", "")]),
    "knex_migrations": (
        "id INTEGER PRIMARY KEY, name VARCHAR(255), batch INTEGER, migration_time TIMESTAMP",
        "(1, '2024_a.js', 1, '2024-03-01 09:00:00')",
        [("2024_a.js", "")],
    ),
    "django_migrations": (
        "id INTEGER PRIMARY KEY, app VARCHAR(255), name VARCHAR(255), applied TIMESTAMP",
        "(1, 'shop', '0001_initial', '2024-03-01 09:00:00')",
        [("0001_initial", "shop")],
    ),
    "flyway_schema_history": (
        "installed_rank INTEGER PRIMARY KEY, version VARCHAR(50), description VARCHAR(200), type VARCHAR(20), "
        "script VARCHAR(1000), checksum INTEGER, installed_by VARCHAR(100), installed_on TIMESTAMP, "
        "execution_time INTEGER, success BOOLEAN",
        "(1, '1', 'init', 'SQL', 'V1__init.sql', 1, 'me', '2024-03-01 09:00:00', 5, TRUE), "
        "(2, NULL, 'views', 'SQL', 'R__views.sql', 1, 'me', '2024-03-01 09:00:00', 5, TRUE)",
        [("1", "init"), ("R__views.sql", "views")],
    ),
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_history_of_another_runner_is_shown_and_copied_once(
    database_url: str, runner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table, (definition, values, expected) = runner.partition(" of ")[0], RUNNERS[runner]
    create_all(database_url, "001", rows=False)
    execute(database_url, f"CREATE TABLE {table} ({definition})", f"INSERT INTO {table} VALUES {values}")
    before = rows(database_url, f"SELECT * FROM {table}")
    shown = cli(capsys, database_url, "adopt", "--dry-run").stdout
    for name, description in expected:
        assert f"{name} {description}".strip() in shown
    assert engine(database_url).adopt().imported
    found = [
        (entry.revision, entry.description) for entry in engine(database_url).log() if entry.direction == "imported"
    ]
    assert [name for name, _ in reversed(found)] == [name for name, _ in expected]
    for (_, said), (_, description) in zip(reversed(found), expected, strict=True):
        assert description in said
    execute(database_url, "DELETE FROM alembic_version")
    engine(database_url).adopt(upgrade=True)
    assert logged(database_url).count(f"imported {expected[0][0]}") == 1
    assert rows(database_url, f"SELECT * FROM {table}") == before


def test_the_table_of_another_runner_is_named_whether_a_revision_matches_or_not(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(sqlite_url, "CREATE TABLE _migrations (id INTEGER PRIMARY KEY, filename TEXT)")
    done = cli(capsys, sqlite_url, "adopt")
    assert (done.code, "adopt-foreign" in done.stderr, "it has _migrations." in done.stderr) == (2, True, True), done
    assert "Another runner's table, left alone: _migrations of a home-made runner, with 0 entries" in done.stdout
    create_all(sqlite_url, "001", rows=False)
    execute(sqlite_url, "DROP INDEX ix_users_tier")
    done = cli(capsys, sqlite_url, "adopt", "--json")
    runners = [{"table": "_migrations", "runner": "a home-made runner", "entries": 0}]
    assert (done.code, json.loads(done.stdout)["runners"]) == (1, runners)
    execute(sqlite_url, "CREATE INDEX ix_users_tier ON users (tier)")
    assert json.loads(cli(capsys, sqlite_url, "adopt", "--json").stdout)["runners"] == runners


def test_a_table_that_is_only_called_like_a_runner_s_is_no_history(database_url: str) -> None:
    create_all(database_url, "001", rows=False)
    execute(database_url, "CREATE TABLE _migrations (birds INTEGER)", "INSERT INTO _migrations VALUES (3)")
    done = engine(database_url).adopt()
    assert (done.imported, done.runners) == ((), ())
    assert (done.imported, heads(database_url)) == ((), ["001"])
