"""A revision may set search_path as it likes: version table and log stay where the run found them."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import Migrator, StepFailed
from tests.kit.database import ask, execute, heads, logged, rows
from tests.kit.projects import miniature, upgrading

WHERE = """
    SELECT c.relname || ' in ' || n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname IN ('migration_log', 'alembic_version', 'things') ORDER BY c.relname
"""
IN_PUBLIC = ["alembic_version in public", "migration_log in public"]
THINGS = "op.execute('CREATE TABLE things (id INTEGER)')"
BLOCK = """
with op.get_context().autocommit_block():
    op.execute("SET search_path TO app")
    op.execute("CREATE TABLE things (id INTEGER)")
    op.execute("SELECT no_such_column")
"""
PATHS = {
    "another schema in front": "op.execute('SET search_path TO app, public')",
    "another schema only": "op.execute('SET search_path TO app')",
    "none, as pg_dump writes it": "op.execute(\"SELECT pg_catalog.set_config('search_path', '', false)\")",
    "for the transaction": "op.execute('SET LOCAL search_path TO app')",
    "on the driver's own connection": "op.get_bind().connection.cursor().execute('SET search_path TO app')",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_the_log_and_the_version_table_stay_together(postgres_url: str, tmp_path: Path, path: str) -> None:
    bodies = (f"op.execute('CREATE SCHEMA app')\n{path}", "op.execute('CREATE TABLE app.things (id INTEGER)')")
    config = miniature(tmp_path / "project", *map(upgrading, bodies), upgrading("op.execute('SELECT nonsense')"))
    engine = Migrator(config, database_url=postgres_url)
    with pytest.raises(StepFailed, match="nonsense") as failed:
        engine.upgrade()
    assert "not be written" not in str(failed.value)
    assert rows(postgres_url, WHERE) == [*IN_PUBLIC, "things in app"]
    assert [entry.revision for entry in engine.log()] == ["003", "002", "001"]
    assert heads(postgres_url) == ["002"]


def test_a_revision_finds_the_path_that_the_one_before_has_set(postgres_url: str, tmp_path: Path) -> None:
    bodies = ("op.execute('CREATE SCHEMA app')\nop.execute('SET search_path TO app')", THINGS)
    config = miniature(tmp_path / "project", *map(upgrading, bodies))
    assert Migrator(config, database_url=postgres_url).upgrade().after == ("002",)
    assert rows(postgres_url, WHERE) == [*IN_PUBLIC, "things in app"]


def test_a_replay_keeps_the_version_table_too(postgres_url: str, tmp_path: Path) -> None:
    bodies = ("op.execute('CREATE TABLE public.things (id INTEGER)')", "pass")
    empty = "op.execute(\"SELECT set_config('search_path', '', false)\")"
    config = miniature(tmp_path / "project", upgrading(f"{empty}\n{bodies[0]}"), upgrading(bodies[1]))
    engine = Migrator(config, database_url=postgres_url)
    engine.upgrade("001")
    assert engine.stamp("002").after == ("002",)
    assert [entry.description for entry in engine.log(1)] == ["stamped 002"]


def test_what_a_block_commits_is_written_down_where_the_next_run_looks(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", upgrading("op.execute('CREATE SCHEMA app')"), upgrading(BLOCK))
    with pytest.raises(StepFailed) as failed:
        Migrator(config, database_url=postgres_url).upgrade()
    assert "CREATE TABLE things (id INTEGER)" in failed.value.fields["committed"]
    assert rows(postgres_url, WHERE) == [*IN_PUBLIC, "things in app"]
    assert logged(postgres_url, "begun") == ["002"]


def test_a_log_of_its_own_comes_to_the_version_table_and_an_older_one_is_found(
    postgres_url: str, tmp_path: Path
) -> None:
    name = sa.make_url(postgres_url).database
    config = miniature(tmp_path / "project", *map(upgrading, ("pass", "pass", "pass")))
    Migrator(config, database_url=postgres_url, log=False).upgrade("001")
    schema = 'o"dd: 100%'
    quoted = f'"{schema}"'.replace('o"d', 'o""d')
    execute(
        postgres_url,
        f"CREATE SCHEMA {quoted}".replace("%", "%%"),
        f"ALTER DATABASE {name} SET search_path = {quoted}, public".replace("%", "%%"),
    )
    engine = Migrator(config, database_url=postgres_url)
    assert engine.upgrade("002").after == ("002",)
    assert rows(postgres_url, WHERE) == IN_PUBLIC
    execute(postgres_url, f"ALTER TABLE public.migration_log SET SCHEMA {quoted}".replace("%", "%%"))
    assert engine.upgrade().after == ("003",)
    assert ask(postgres_url, "SELECT count(*) FROM migration_log") == 2
    assert rows(postgres_url, WHERE) == ["alembic_version in public", f"migration_log in {schema}"]
    assert [entry.revision for entry in engine.log()] == ["003", "002"]
