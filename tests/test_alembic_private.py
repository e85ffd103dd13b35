"""The private names of Alembic that the engine uses still do what it uses them for."""

from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from migrator import alembic_private
from tests.kit.projects import ANIMALS, PLANTS, miniature


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(miniature(tmp_path, ANIMALS, PLANTS, stock=True, url=f"sqlite:///{tmp_path / 'a.db'}"))


@pytest.fixture
def script(config: Config) -> ScriptDirectory:
    return ScriptDirectory.from_config(config)


def test_the_environment_is_there_before_configure(config: Config, script: ScriptDirectory) -> None:
    with EnvironmentContext(config, script, fn=len, destination_rev="head") as entered:
        assert entered is None or entered is alembic_private.environment()
        assert alembic_private.environment().context_opts["destination_rev"] == "head"
        assert alembic_private.environment().script is script


@pytest.mark.parametrize(
    ("run", "direction"),
    [
        (lambda config: command.upgrade(config, "head"), "upgrade"),
        (lambda config: command.downgrade(config, "base"), "downgrade"),
        (lambda config: command.stamp(config, "001"), "stamp"),
    ],
)
def test_the_function_of_a_command_tells_its_direction(
    config: Config, run: object, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []

    def run_env(self: ScriptDirectory) -> None:
        opts = alembic_private.environment().context_opts
        found.append(alembic_private.direction_of(opts["fn"]))

    monkeypatch.setattr(ScriptDirectory, "run_env", run_env)
    assert callable(run)
    run(config)
    assert found == [direction]


def test_the_function_of_check_is_told_from_that_of_revision(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[bool] = []

    def run_env(self: ScriptDirectory) -> None:
        found.append(alembic_private.is_check(alembic_private.environment().context_opts["fn"]))

    monkeypatch.setattr(ScriptDirectory, "run_env", run_env)
    for run in (command.current, command.check, lambda config: command.revision(config, autogenerate=True)):
        with suppress(Exception):  # nothing was compared
            run(config)
    assert found == [False, True, False]


def test_the_steps_of_a_walk_are_those_of_the_command(script: ScriptDirectory) -> None:
    up = alembic_private.walk(script, "upgrade", "head", ())
    down = alembic_private.walk(script, "downgrade", "base", ("002",))
    assert [step.revision.revision for step in up] == ["001", "002"]
    assert [(step.revision.revision, step.is_upgrade) for step in down] == [("002", False), ("001", False)]


def test_files_are_listed_and_loaded_one_by_one(script: ScriptDirectory) -> None:
    ((folder, paths),) = alembic_private.version_files(script)
    assert folder == Path(script.versions)
    loaded = [alembic_private.script_from(script, path) for path in paths]
    assert [found.revision for found in loaded if found] == ["001", "002"]
    assert [alembic_private.parents(found) for found in loaded if found] == [(), ("001",)]
    (folder / "notes.txt").write_text("no revision")
    ((_, paths),) = alembic_private.version_files(script)
    assert alembic_private.script_from(script, folder / "notes.txt") is None
    assert folder / "notes.txt" in paths
    (folder / "001_step.py").unlink()
    script = ScriptDirectory(script.dir, version_locations=[str(folder / "gone")])
    assert list(alembic_private.version_files(script)) == [(folder / "gone", [])]


def test_a_comparison_that_needs_the_head_is_refused_in_the_words_that_are_looked_for(config: Config) -> None:
    with pytest.raises(CommandError) as refused:
        command.check(config)
    assert alembic_private.is_not_up_to_date(refused.value)
    assert not alembic_private.is_not_up_to_date(CommandError("something else"))


def test_a_comparison_that_fails_says_what_was_compared(postgres_url: str) -> None:
    metadata = sa.MetaData()
    sa.Table("animals", metadata, sa.Column("name", sa.Text(), server_default="it's"))
    engine = sa.create_engine(postgres_url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE animals (name text DEFAULT 'its')")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        from alembic.autogenerate import compare_metadata

        with pytest.raises(sa.exc.ProgrammingError) as failed:
            compare_metadata(context, metadata)
    assert alembic_private.compared(failed.value) == "the server default of animals.name"
    assert alembic_private.compared(ValueError("elsewhere")) is None


def test_the_variants_of_a_type_are_found() -> None:
    plain, small = sa.BigInteger(), sa.Integer()
    assert alembic_private.variants(plain) == ()
    assert alembic_private.variants(plain.with_variant(small, "sqlite")) == (small,)


def test_an_operation_is_heard_on_sqlite_and_then_done_as_alembic_does_it(tmp_path: Path) -> None:
    with sa.create_engine("sqlite://", poolclass=sa.pool.NullPool).connect() as connection:
        context = MigrationContext.configure(connection)
        context.impl = alembic_private.BatchImpl(connection.dialect, connection, False, True, None, {})
        connection.exec_driver_sql("CREATE TABLE t (v TEXT)")
        connection.exec_driver_sql("INSERT INTO t VALUES ('2024-05-06')")
        with Operations(context).batch_alter_table("t") as batch:
            batch.alter_column("v", type_=sa.Date(), sqlite_using="date(v)")
        assert context.impl.conversions == {(None, "t"): {"v": "date(v)"}}
        assert connection.exec_driver_sql("SELECT v FROM t").scalar() == "2024-05-06"


def test_a_batch_alters_in_place_where_its_implementation_is_told_to(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (v integer); CREATE TABLE stock (v integer)")
        tables = "SELECT relname, oid FROM pg_class WHERE relname IN ('t', 'stock') ORDER BY relname"
        before = dict(connection.exec_driver_sql(tables).all())
        for name in before:
            context = MigrationContext.configure(connection)
            if name == "t":
                alembic_private.alter_in_place(context.impl)
            with Operations(context).batch_alter_table(name, recreate="always") as batch:
                batch.add_column(sa.Column("w", sa.Integer), insert_before="v")
        after = dict(connection.exec_driver_sql(tables).all())
    assert after["t"] == before["t"]
    assert after["stock"] != before["stock"]


def test_a_context_can_stand_in_the_place_of_another(config: Config, script: ScriptDirectory) -> None:
    from alembic import context

    with (
        EnvironmentContext(config, script),
        sa.create_engine("sqlite://", poolclass=sa.pool.NullPool).connect() as connection,
    ):
        context.configure(connection=connection)
        real, other = context.get_context(), MigrationContext.configure(connection)
        with alembic_private.context_replaced(other):
            assert context.get_context() is other
        assert context.get_context() is real
