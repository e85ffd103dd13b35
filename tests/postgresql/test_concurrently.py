"""CREATE INDEX CONCURRENTLY, cut off: an INVALID index is built again or refused, and never taken for a valid one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from migrator import Migrator, StepFailed
from tests.kit.assertions import assert_says
from tests.kit.database import ask, execute, heads, logged, rows
from tests.kit.fork_server import Forks, Job, Process, until
from tests.kit.projects import NAME, creates, miniature, upgrading
from tests.postgresql.sessions import session

ANIMALS = creates("animals", NAME, then="INSERT INTO animals SELECT i, i::text FROM generate_series(1, 1000) i")
INDEX = """
def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_name", "animals", ["name"], unique=True, postgresql_concurrently=True)
"""
IF_NOT_EXISTS = INDEX.replace("unique=True", "unique=True, if_not_exists=True")
BUILDING = "SELECT pid FROM pg_stat_activity WHERE query ILIKE 'CREATE % INDEX CONCURRENTLY%' AND state = 'active'"
INVALID = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


@pytest.fixture
def config(tmp_path: Path) -> str:
    return miniature(tmp_path / "animals", ANIMALS, INDEX)


@contextmanager
def building(forks: Forks, config: str, url: str) -> Iterator[tuple[Process, int]]:
    """An upgrade whose index has to wait for an old transaction, which lasts as long as the block; and the server's pid for it."""
    Migrator(config, database_url=url).upgrade("001")
    with session(url, "DELETE FROM animals WHERE id = 1"):
        (process,) = forks.start(Job(["upgrade"], config, url))
        until(lambda: rows(url, BUILDING) and ask(url, INVALID))
        yield process, ask(url, BUILDING)


def test_one_that_died_with_its_client_is_dropped_and_built_again(forks: Forks, postgres_url: str, config: str) -> None:
    with building(forks, config, postgres_url) as (process, pid):
        process.kill()
        assert process.wait().code == -signal.SIGKILL
        ask(postgres_url, f"SELECT pg_terminate_backend({pid}, 60000)")
        until(lambda: not rows(postgres_url, BUILDING))
        left = ask(postgres_url, "SELECT 'ix_name'::regclass::oid")
    assert ask(postgres_url, INVALID) == 1
    (result,) = forks.run(Job(["upgrade"], config, postgres_url))
    assert result.code == 0, result
    assert "002 was interrupted at " in result.stderr
    assert "begun: CREATE UNIQUE INDEX CONCURRENTLY ix_name ON animals (name)" in result.stderr
    assert ask(postgres_url, INVALID) == 0
    assert ask(postgres_url, "SELECT 'ix_name'::regclass::oid") != left
    assert (heads(postgres_url), logged(postgres_url)) == (["002"], ["001", "002"])


def test_one_whose_session_was_ended_fails_and_is_built_by_the_next_run(
    forks: Forks, postgres_url: str, config: str
) -> None:
    with building(forks, config, postgres_url) as (process, pid):
        ask(postgres_url, f"SELECT pg_terminate_backend({pid})")
        result = process.wait()
        assert (result.code, "ix_name" in result.stderr) == (2, True), result
    (result,) = forks.run(Job(["upgrade"], config, postgres_url))
    assert result.code == 0, result
    assert (ask(postgres_url, INVALID), heads(postgres_url)) == (0, ["002"])


def test_one_that_failed_on_duplicates_is_built_again_once_they_are_gone(postgres_url: str, config: str) -> None:
    engine = Migrator(config, database_url=postgres_url)
    engine.upgrade("001")
    execute(postgres_url, "INSERT INTO animals VALUES (0, '7')")
    for _ in range(2):
        with pytest.raises(StepFailed, match="could not create unique index") as failed:
            engine.upgrade()
        assert "\n  - begun: CREATE UNIQUE INDEX CONCURRENTLY" in str(failed.value)
        assert (ask(postgres_url, INVALID), heads(postgres_url)) == (1, ["001"])
    execute(postgres_url, "DELETE FROM animals WHERE id = 0")
    engine.upgrade()
    assert (ask(postgres_url, INVALID), heads(postgres_url)) == (0, ["002"])


@pytest.mark.parametrize("stock", [True, False], ids=("stock", "ours"))
def test_one_that_somebody_left_behind_is_taken_by_stock_alembic_and_refused_here(
    forks: Forks, postgres_url: str, tmp_path: Path, stock: bool
) -> None:
    config = miniature(tmp_path / "animals", ANIMALS, IF_NOT_EXISTS, stock=stock, url=postgres_url)
    job = Job(["upgrade", "head"], config, postgres_url, program="alembic" if stock else "migrate.py")
    forks.run(Job(["upgrade", "001"], config, postgres_url, program=job.program))
    execute(postgres_url, "INSERT INTO animals VALUES (0, '7')")
    with pytest.raises(Exception, match="could not create unique index"):
        execute(postgres_url, "CREATE UNIQUE INDEX CONCURRENTLY ix_name ON animals (name)")
    (result,) = forks.run(job)
    if stock:
        assert (result.code, heads(postgres_url), ask(postgres_url, INVALID)) == (0, ["002"], 1)
        return
    assert (result.code, heads(postgres_url)) == (2, ["001"])
    assert "The index public.ix_name is INVALID" in result.stderr
    assert "psql -c 'DROP INDEX CONCURRENTLY public.ix_name'" in result.stderr
    execute(postgres_url, "DELETE FROM animals WHERE id = 0")
    (result,) = forks.run(job)
    assert result.code == 0, result
    assert (ask(postgres_url, INVALID), heads(postgres_url)) == (0, ["002"])


def test_an_invalid_index_is_not_taken_for_the_one_that_a_revision_asks_for(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", creates("animals", NAME), IF_NOT_EXISTS)
    Migrator(config, database_url=postgres_url).upgrade("001")
    execute(postgres_url, "INSERT INTO animals (name) VALUES ('ant'), ('ant')")
    with pytest.raises(IntegrityError):
        execute(postgres_url, "CREATE UNIQUE INDEX CONCURRENTLY ix_name ON animals (name)")
    with pytest.raises(StepFailed) as refused:
        Migrator(config, database_url=postgres_url).upgrade()
    assert refused.value.code == "index-invalid"
    words = ("ix_name is INVALID", "psql -c 'DROP INDEX CONCURRENTLY public.ix_name'")
    assert_says(str(refused.value), "index-invalid", *words, consequence="002 is not recorded as applied")
    assert heads(postgres_url) == ["001"]


def test_an_index_on_a_partitioned_table_alone_is_invalid_until_its_partitions_have_theirs(
    postgres_url: str, tmp_path: Path
) -> None:
    """The recipe of PostgreSQL's manual: ON ONLY, then each partition CONCURRENTLY, then ATTACH."""
    parent = """
def upgrade():
    op.execute("CREATE TABLE events (id int) PARTITION BY RANGE (id)")
    op.execute("CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (9)")
    op.execute("CREATE INDEX IF NOT EXISTS ix_events ON ONLY events (id)")
"""
    partitions = """
def upgrade():
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_events_1 ON events_1 (id)")
    op.execute("ALTER INDEX ix_events ATTACH PARTITION ix_events_1")
"""
    config = miniature(tmp_path / "project", parent, partitions)
    engine = Migrator(config, database_url=postgres_url)
    assert engine.upgrade("001").after == ("001",)
    assert rows(postgres_url, "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid") == ["ix_events"]
    assert engine.upgrade().after == ("002",)
    assert ask(postgres_url, INVALID) == 0


def broken_index(url: str, index: str, table: str) -> None:
    """Leave an INVALID unique index on a table that holds the same name twice."""
    execute(url, f"INSERT INTO {table} (name) VALUES ('ant'), ('ant')")
    with pytest.raises(IntegrityError):
        execute(url, f"CREATE UNIQUE INDEX CONCURRENTLY {index} ON {table} (name)")


def test_an_invalid_index_of_another_schema_is_left_alone(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", creates("animals", NAME), IF_NOT_EXISTS)
    Migrator(config, database_url=postgres_url).upgrade("001")
    execute(postgres_url, "CREATE SCHEMA zoo")
    execute(postgres_url, "CREATE TABLE zoo.animals (name text)")
    broken_index(postgres_url, "ix_name", "zoo.animals")
    assert Migrator(config, database_url=postgres_url).upgrade().after == ("002",)
    assert rows(postgres_url, "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid") == ["zoo.ix_name"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [('"by.Name"', 'public."by.Name"'), ("By_Name", "public.by_name"), ('"by ""x"""', 'public."by ""x"""')],
)
def test_an_invalid_index_is_found_by_any_name(postgres_url: str, tmp_path: Path, written: str, shown: str) -> None:
    index = f"CREATE UNIQUE INDEX IF NOT EXISTS {written} ON public.animals (name)"
    config = miniature(tmp_path / "project", creates("animals", NAME), upgrading(f"op.execute('''{index}''')"))
    Migrator(config, database_url=postgres_url).upgrade("001")
    broken_index(postgres_url, written, "animals")
    with pytest.raises(StepFailed) as refused:
        Migrator(config, database_url=postgres_url).upgrade()
    assert refused.value.code == "index-invalid"
    assert f"The index {shown} is INVALID" in str(refused.value)
