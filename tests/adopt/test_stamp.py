"""A stamp is believed only when the schema bears it out, whichever door it comes through."""

import io
import json
import logging
import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.pool import NullPool

from migrator import DatabaseError, Migrator, StampRefused
from migrator.dialects import named
from tests.adopt.legacy.past import create_all
from tests.adopt.legacy_databases import cli, data, engine
from tests.kit import CONFIG
from tests.kit.database import connected, execute, heads, logged, tables
from tests.kit.projects import copy_history, miniature


def test_a_schema_that_is_the_revision_s_is_stamped(database_url: str) -> None:
    create_all(database_url, "005")
    before = data(database_url)
    assert engine(database_url).stamp("005").after == ("005",)
    assert (heads(database_url), logged(database_url), data(database_url)) == (["005"], ["stamp 005"], before)
    assert engine(database_url).log()[0].description == "stamped 005"


def test_another_schema_is_refused_with_the_differences_the_operations_and_the_revision_that_matches(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(database_url, "005")
    done = cli(capsys, database_url, "stamp", "head")
    assert (done.code, done.stdout) == (1, "")
    assert "error: The database does not have the schema of revision 012: it matches 005." in done.stderr
    for part in (
        "  - the table reports is missing",
        "  - the column datasets.context (TEXT) is missing",
        "op.create_table('reports'",
        "batch_op.add_column(sa.Column('context', sa.TEXT()",
        "stamp-refused",
    ):
        assert part in done.stderr, done.stderr
    assert "is there and should not be" not in done.stderr
    assert {"alembic_version", "migration_log"} & tables(database_url) == set()


def test_the_nearest_is_named_where_none_matches(database_url: str) -> None:
    create_all(database_url, "007")
    execute(database_url, "DROP INDEX ix_reports_status")
    with pytest.raises(StampRefused) as refused:
        engine(database_url).stamp("006")
    assert (refused.value.exit_code, refused.value.fields["best"]) == (1, "007")
    assert refused.value.fields["found"] == "the nearest is 007, 1 away"
    assert "the table reports is there and should not be" in str(refused.value)
    assert heads(database_url) == []


def test_tables_that_no_revision_makes_are_not_a_difference(database_url: str) -> None:
    create_all(database_url, "001")
    execute(database_url, "CREATE TABLE invoices (id INTEGER PRIMARY KEY)")
    assert engine(database_url).stamp("001").after == ("001",)
    assert "invoices" in tables(database_url)


def test_columns_and_indexes_that_no_revision_makes_are_left_alone_and_listed(
    database_url: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    create_all(database_url, "005")
    execute(
        database_url,
        "ALTER TABLE users ADD COLUMN nickname VARCHAR(20)",
        "ALTER TABLE users ADD COLUMN points INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX by_nickname ON users (nickname)",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY)",
        "ALTER TABLE users ADD COLUMN note_id INTEGER REFERENCES notes (id)",
    )
    before = data(database_url)
    columns = "the column users.nickname, the column users.points, the column users.note_id"
    extra = f"notes, {columns}, the foreign key of users.note_id, the index by_nickname on users"
    shown = cli(capsys, database_url, "adopt", "--dry-run").stdout
    assert "The database has the schema of revision 005, and more that no revision creates;" in shown
    assert f"Left alone, because no revision creates them: {extra}" in shown
    document = json.loads(cli(capsys, database_url, "adopt", "--json").stdout)
    assert (document["revision"], document["exact"], document["stamped"]) == ("005", True, True)
    kinds = [each["kind"] for each in document["left_alone"]]
    assert kinds == ["column", "column", "column", "foreign key", "index"]
    with caplog.at_level(logging.INFO, "migrator"):
        assert engine(database_url).stamp("005", purge=True).after == ("005",)
    assert "Left alone, because no revision creates them: the column users.nickname" in caplog.text
    assert (heads(database_url), data(database_url)) == (["005"], before)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX one_tier ON users (id, tier)",
        "CREATE INDEX ix_reports_status ON users (tier)",
        "ALTER TABLE datasets ADD COLUMN context TEXT",
        "ALTER TABLE users ADD COLUMN other INTEGER REFERENCES users (id) ON DELETE CASCADE",
    ],
)
def test_what_a_statement_of_the_history_may_meet_is_not_extra(sqlite_url: str, statement: str) -> None:
    create_all(sqlite_url, "005", rows=False)
    execute(sqlite_url, statement)
    with pytest.raises(StampRefused, match="is there and should not be"):
        engine(sqlite_url).stamp("005")
    assert heads(sqlite_url) == []


def test_no_verify_stamps_says_so_and_is_logged(
    database_url: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    done = cli(capsys, database_url, "stamp", "007", "--no-verify")
    assert (done.code, done.stdout.splitlines()[-1]) == (0, "The database was at base and is at 007.")
    assert "Stamping 007 without checking the schema" in caplog.text
    assert heads(database_url) == ["007"]
    assert [entry.description for entry in engine(database_url).log()] == ["stamped 007, not verified"]


def test_alembic_s_own_stamp_is_verified_too_and_has_its_way_out(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_all(database_url, "005", rows=False)
    monkeypatch.setenv("DATABASE_URL", database_url)
    with pytest.raises(CommandError, match="does not have the schema of revision 012: it matches 005"):
        command.stamp(Config(CONFIG, stdout=io.StringIO()), "head")
    assert heads(database_url) == []
    sure = Config(CONFIG, stdout=io.StringIO(), cmd_opts=_options("no_verify"))
    command.stamp(sure, "head")
    assert heads(database_url) == ["012"]
    command.stamp(Config(CONFIG, stdout=io.StringIO()), "005", purge=True)
    assert heads(database_url) == ["005"]
    notes = [entry.description for entry in engine(database_url).log()]
    assert notes == ["stamped 005", "stamped head, not verified"]


def test_base_is_true_only_of_a_database_without_our_tables(database_url: str) -> None:
    engine(database_url).upgrade("002")
    with pytest.raises(StampRefused) as refused:
        engine(database_url).stamp("base")
    assert "the table users is there and should not be" in str(refused.value)
    assert heads(database_url) == ["002"]
    execute(database_url, *(f"DROP TABLE {name}" for name in ("conversations", "analyses", "datasets")))
    execute(database_url, "DROP TABLE usage_tracking", "DROP TABLE users")
    assert engine(database_url).stamp("base").after == ()


def test_what_was_stamped_wrongly_is_put_right(database_url: str) -> None:
    create_all(database_url, "005", rows=False)
    engine(database_url).stamp("010", verify=False)
    assert engine(database_url).stamp("005").after == ("005",)
    assert engine(database_url).upgrade().after == ("012",)


def test_nobody_changes_the_tables_between_the_comparison_and_the_commit(postgres_url: str) -> None:
    create_all(postgres_url, "001")
    engine_ = sa.create_engine(postgres_url, poolclass=NullPool)
    dialect = named("postgresql")
    with engine_.begin() as connection:
        dialect.lock_definitions(connection, {"users", "datasets", "never_made"})
        for statement in ("ALTER TABLE users ADD x INTEGER", "CREATE INDEX late ON datasets (name)"):
            with connected(postgres_url) as other:
                other.exec_driver_sql("SET lock_timeout = 50")
                with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                    other.exec_driver_sql(statement)
        execute(postgres_url, "UPDATE users SET display_name = 'still works'")
    execute(postgres_url, "ALTER TABLE users ADD x INTEGER")


def test_a_database_that_changes_while_it_is_compared_is_noticed(database_url: str) -> None:
    create_all(database_url, "005")
    connections = sa.create_engine(database_url, poolclass=NullPool)
    met: list[int] = []

    def change(_: sa.Connection) -> None:
        met.append(1)
        if len(met) == 2:  # the first looks, the second stamps
            execute(database_url, "DROP INDEX ix_users_tier")

    sa.event.listen(connections, "engine_connect", change)
    with pytest.raises(StampRefused, match=r"the index ix_users_tier on users: \(tier\) is missing"):
        Migrator(CONFIG, connection=connections).adopt()
    assert len(met) >= 2
    assert {"alembic_version", "migration_log"} & tables(database_url) == set()


def test_a_role_that_may_make_no_scratch_place_is_told_what_to_grant(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role, database = f"poor_{os.getpid()}", sa.make_url(postgres_url).database
    create_all(postgres_url, "001", rows=False)
    execute(postgres_url, f"CREATE ROLE {role} LOGIN", f"REVOKE CREATE ON DATABASE {database} FROM PUBLIC")
    config = copy_history(tmp_path)
    poor = sa.make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
    try:
        with pytest.raises(DatabaseError) as refused:
            Migrator(config, database_url=poor).adopt()
        assert refused.value.code == "scratch-refused"
        assert f"psql -c 'ALTER ROLE {role} CREATEDB'" in str(refused.value)
        assert f"psql -c 'GRANT CREATE ON DATABASE {database} TO {role}'" in str(refused.value)
        assert heads(postgres_url) == []
    finally:
        execute(postgres_url, f"DROP ROLE {role}")


def _options(*given: str) -> object:
    from argparse import Namespace

    return Namespace(x=list(given))


def test_a_history_that_branches_has_no_one_schema_to_compare_with(database_url: str, tmp_path: Path) -> None:
    table = 'def upgrade():\n    op.create_table("{}", sa.Column("id", sa.Integer, primary_key=True))\n'
    config = miniature(tmp_path / "project", *map(table.format, ("a", "b", "c", "d")))
    versions = tmp_path / "project" / "migrations" / "versions"
    for name, old, new in (("003", "'002'", "'001'"), ("004", "'003'", "('002', '003')")):
        path = versions / f"{name}_step.py"
        path.write_text(path.read_text().replace(f"down_revision = {old}", f"down_revision = {new}"))
    engine_ = Migrator(config, database_url=database_url)
    with pytest.raises(StampRefused) as refused:
        engine_.stamp("004")
    assert (refused.value.code, heads(database_url)) == ("stamp-unverifiable", [])
    assert engine_.stamp("004", verify=False).after == ("004",)
