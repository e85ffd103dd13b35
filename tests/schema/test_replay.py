"""The history is replayed beside the database, never in it, and once for as long as its files stay what they are."""

import time
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from migrator import HistoryError, Migrator, StampRefused
from tests.adopt.legacy.past import create_all
from tests.adopt.legacy_databases import is_sqlite
from tests.kit.database import ask, connected, execute, rows, tables
from tests.kit.projects import copy_history, miniature, write_revisions

PLANTS = 'def upgrade():\n    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))\n'
MORE = 'def upgrade():\n    op.add_column("plants", sa.Column("name", sa.Text))\n'


def caches(config: Path | str) -> list[Path]:
    return sorted((Path(config).parent / "migrations" / "__pycache__").glob("migrator-*.json"))


def test_it_is_kept_until_a_file_changes(database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", PLANTS)
    type_ = "INTEGER NOT NULL" if is_sqlite(database_url) else "SERIAL"
    execute(database_url, f"CREATE TABLE plants (id {type_} PRIMARY KEY)")
    engine = Migrator(config, database_url=database_url)
    engine.adopt(accept_harmless=True, dry_run=True)
    (first,) = caches(config)
    text = first.read_text()
    first.write_text(text.replace("plants", "stones"))
    with pytest.raises(HistoryError, match="none of the tables") as refused:
        engine.adopt()
    assert refused.value.code == "adopt-foreign"  # what was kept is what is believed
    write_revisions(tmp_path / "project", [MORE], first=2)
    found = engine.adopt(dry_run=True, accept_harmless=True)
    assert found.verdict.best.revision == "001"
    assert [path != first for path in caches(config)] == [True]


def test_it_leaves_nothing_in_the_database_nor_beside_it(postgres_url: str, tmp_path: Path) -> None:
    before = rows(postgres_url, "SELECT nspname FROM pg_namespace")
    config = miniature(tmp_path / "project", PLANTS, MORE)
    execute(postgres_url, "CREATE TABLE plants (id SERIAL CONSTRAINT plants_pkey PRIMARY KEY)")
    Migrator(config, database_url=postgres_url).adopt(dry_run=True)
    assert tables(postgres_url) == {"plants"}
    assert rows(postgres_url, "SELECT nspname FROM pg_namespace") == before
    assert rows(postgres_url, "SELECT datname FROM pg_database WHERE datname LIKE 'migrator_scratch_%'") == []


def test_a_role_that_may_make_no_database_gets_a_schema_for_it(postgres_url: str, tmp_path: Path) -> None:
    role, database = f"poor_{uuid.uuid4().hex[:8]}", sa.make_url(postgres_url).database
    execute(postgres_url, f"CREATE ROLE {role} LOGIN", f"GRANT CREATE ON DATABASE {database} TO {role}")
    execute(postgres_url, f"GRANT ALL ON SCHEMA public TO {role}")
    poor = sa.make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
    config = copy_history(tmp_path)
    try:
        create_all(poor, "005", rows=False)
        found = Migrator(config, database_url=poor).adopt(upgrade=True)
        assert (found.verdict.best.revision, found.verdict.best.exact) == ("005", True)
        assert ask(postgres_url, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'migrator_scratch_%'") == 0
    finally:
        execute(postgres_url, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_five_hundred_tables_are_done_in_half_a_minute(database_url: str, tmp_path: Path) -> None:
    columns = ", ".join(f"c{number} VARCHAR(50)" for number in range(8))
    body = (
        "def upgrade():\n    for number in range(500):\n        op.execute(f'CREATE TABLE t{number} (id INTEGER NOT NULL, "
        f"{columns}, CONSTRAINT pk_t{{number}} PRIMARY KEY (id))')\n"
        "        op.execute(f'CREATE INDEX ix_t{number} ON t{number} (c1)')\n"
    )
    config = miniature(tmp_path / "project", body)
    engine = sa.create_engine(database_url, poolclass=NullPool)
    with engine.begin() as connection:
        for number in range(500):
            connection.exec_driver_sql(
                f"CREATE TABLE t{number} (id INTEGER NOT NULL, {columns}, CONSTRAINT pk_t{number} PRIMARY KEY (id))"
            )
            connection.exec_driver_sql(f"CREATE INDEX ix_t{number} ON t{number} (c1)")
    started = time.monotonic()
    done = Migrator(config, database_url=database_url).adopt()
    assert time.monotonic() - started < 30
    assert (done.verdict.tables, done.report is not None) == (500, True)
    with connected(database_url) as connection:
        connection.exec_driver_sql("DROP INDEX ix_t7")
    execute(database_url, "DELETE FROM alembic_version")
    started = time.monotonic()
    with pytest.raises(StampRefused, match=r"index ix_t7 on t7: \(c1\) is missing"):
        Migrator(config, database_url=database_url).stamp("001")
    assert time.monotonic() - started < 30
