"""A comparison that the database cannot do is told as that: which one, on what; and not as a database that cannot be reached."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import DatabaseError, Migrator
from tests.kit.assertions import assert_says
from tests.kit.database import execute, tables
from tests.kit.doors import DOORS
from tests.kit.fork_server import Forks
from tests.kit.projects import NOTHING, make_project

# PostgreSQL is asked whether the two defaults are equal, and cannot read the models' one.
ENV = """
import sqlalchemy as sa
from migrator import run_env

metadata = sa.MetaData()
sa.Table("animals", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text, server_default="it's"))
run_env(metadata)
"""
ANIMALS = "CREATE TABLE animals (id serial PRIMARY KEY, name text DEFAULT 'its')"


@pytest.mark.parametrize("program", ["migrate.py", "alembic"])
@pytest.mark.parametrize("command", [["check"], ["revision", "--autogenerate", "-m", "more"]], ids=" ".join)
def test_a_default_that_cannot_be_compared_is_named(
    forks: Forks, postgres_url: str, tmp_path: Path, command: list[str], program: str
) -> None:
    make_project(tmp_path, [NOTHING], env=ENV)
    config = str(tmp_path / "alembic.ini")
    Migrator(config, database_url=postgres_url).upgrade()
    execute(postgres_url, ANIMALS)
    result = DOORS[program].run(forks, config, postgres_url, *command)
    assert result.code == {"migrate.py": 2, "alembic": 255}[program]
    said = "The comparison of the server default of animals.name failed in the database: "
    assert_says(result.stderr, "comparison-failed", said, "check")
    assert "database-unreachable" not in result.stderr
    assert "Traceback" not in result.stderr
    assert len(list((tmp_path / "migrations/versions").glob("*.py"))) == 1


def test_a_database_that_breaks_during_a_comparison_is_not_a_failed_comparison(
    postgres_url: str, tmp_path: Path
) -> None:
    make_project(tmp_path, [NOTHING], env=ENV)
    config = str(tmp_path / "alembic.ini")
    Migrator(config, database_url=postgres_url).upgrade()
    execute(postgres_url, ANIMALS)
    engine = sa.create_engine(postgres_url, poolclass=sa.pool.NullPool)

    def disconnect(connection: sa.Connection, cursor: object, statement: str, *_: object) -> None:
        if "it's" in statement:
            pid = connection.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
            execute(postgres_url, f"SELECT pg_terminate_backend({pid}, 5000)")

    sa.event.listen(engine, "before_cursor_execute", disconnect)
    from alembic import command

    with pytest.raises(DatabaseError) as failed:
        Migrator(config, connection=engine).call(command.check)
    assert failed.value.code == "database-unreachable"
    assert "animals" in tables(postgres_url)
