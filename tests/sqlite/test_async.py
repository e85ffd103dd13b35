"""The same guarantees through aiosqlite: a connection of an async engine, handed over by `run_sync`."""

import asyncio
import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

from migrator import StepFailed
from tests.kit.projects import upgrading
from tests.kit.scenario import Scenario, project, scenario

_ENV = "from alembic import context\nimport migrator\n\nmigrator.run(context.config.attributes['connection'], target_metadata=None)\n"


def upgrade(made: Scenario, *, foreign_keys: bool = True) -> list[Any]:
    """Upgrade as an async program does; return what its connection says of foreign keys and patience afterwards."""
    (made.directory / "migrations" / "env.py").write_text(_ENV)
    config = Config(made.ini)

    def run(connection: sa.Connection) -> None:
        config.attributes["connection"] = connection
        with redirect_stdout(io.StringIO()):
            command.upgrade(config, "head")

    async def main() -> list[Any]:
        engine = create_async_engine(made.engine.url.set(drivername="sqlite+aiosqlite"))

        @sa.event.listens_for(engine.sync_engine, "connect")
        def connected(connection: Any, record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.close()

        try:
            async with engine.connect() as connection:
                await connection.run_sync(run)
                pragmas = [
                    await connection.exec_driver_sql(f"PRAGMA {name}") for name in ("foreign_keys", "busy_timeout")
                ]
                return [pragma.scalar() for pragma in pragmas]
        finally:
            await engine.dispose()

    return asyncio.run(main())


def test_a_rebuilt_parent_keeps_its_children(tmp_path: Path) -> None:
    with scenario("rebuild_of_a_parent_keeps_its_children", tmp_path / "ours") as ours:
        before = ours.ask("SELECT * FROM datasets")
        assert upgrade(ours) == [1, 5000]
        assert ours.ask("SELECT * FROM datasets") == before


def test_the_definition_and_a_view_stay(tmp_path: Path) -> None:
    for name in ("rebuild_keeps_the_definition", "rebuild_keeps_a_view", "rebuild_keeps_generated_columns"):
        with scenario(name, tmp_path / name) as ours:
            before = set(ours.schema())
            upgrade(ours)
            assert set(ours.schema()) == before
            assert "COLLATE NOCASE" in ours.schema()["orders"] or "definition" not in name


def test_a_broken_key_is_rolled_back(tmp_path: Path) -> None:
    before = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p);"
    before += "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);"
    with project(tmp_path / "ours", upgrading("op.execute('DELETE FROM p')"), before=before) as ours:
        with pytest.raises(StepFailed) as caught:
            upgrade(ours)
        assert caught.value.code == "foreign-keys-broken"
        assert ours.ask("SELECT count(*) FROM p") == [1]


def test_values_are_looked_at_and_converted(tmp_path: Path) -> None:
    before = "CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('2024-05-06T07:08'), ('soon');"
    body = "with op.batch_alter_table('t') as batch:\n    batch.alter_column('v', type_=sa.DateTime())"
    words = "1 of 2 values of v do not fit DATETIME, for example 'soon'"
    with (
        project(tmp_path / "refused", upgrading(body), before=before) as ours,
        pytest.raises(StepFailed, match=words),
    ):
        upgrade(ours)
    with project(tmp_path / "ours", upgrading(body, own="accept_loss = ('t: values of v',)"), before=before) as ours:
        upgrade(ours)
        assert ours.ask("SELECT v FROM t") == ["2024-05-06 07:08:00.000000", "soon"]
