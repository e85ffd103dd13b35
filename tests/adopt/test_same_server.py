"""A history is replayed on the server of the connected database, however env.py made that connection, and on no other."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from migrator import DatabaseError, Migrator
from tests.kit.assertions import assert_says
from tests.kit.database import ask, execute, heads, rows
from tests.kit.postgres import GUARDED_PASSWORD, Server, find_binaries
from tests.kit.postgres_binaries import SUPERUSER, launched
from tests.kit.projects import creates, miniature

MAKES_A_ROLE = creates("plants", then="CREATE ROLE made_by_a_replay")
ROLES = "SELECT count(*) FROM pg_roles WHERE rolname = 'made_by_a_replay'"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """Another server."""
    with launched(find_binaries()) as found:
        yield f"postgresql+psycopg2://{SUPERUSER}@127.0.0.1:{found.port}/postgres"


@pytest.fixture
def guarded(postgres_server: Server, postgres_url: str, elsewhere: str, monkeypatch: pytest.MonkeyPatch) -> sa.URL:
    """A database that has what revision 001 makes, with a password, while libpq's own defaults name another server."""
    execute(postgres_url, "CREATE TABLE plants (id serial PRIMARY KEY)")
    other = sa.make_url(elsewhere)
    for name, value in {"PGHOST": other.host, "PGPORT": str(other.port), "PGUSER": SUPERUSER}.items():
        monkeypatch.setenv(name, str(value))
    return sa.make_url(postgres_server.guarded(postgres_url))


def with_creator(url: sa.URL) -> sa.Engine:
    arguments = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
    return sa.create_engine(
        "postgresql+psycopg2://",
        poolclass=NullPool,
        creator=lambda: psycopg2.connect(dbname=url.database, **arguments),
    )


def with_connect_args(url: sa.URL) -> sa.Engine:
    return sa.create_engine(url.set(password=None), poolclass=NullPool, connect_args={"password": url.password})


def with_listener(url: sa.URL) -> sa.Engine:
    made = sa.create_engine(url.set(password=None), poolclass=NullPool)

    @sa.event.listens_for(made, "do_connect")
    def token(_: object, __: object, ___: object, parameters: dict[str, object]) -> None:
        parameters["password"] = url.password

    return made


@pytest.mark.parametrize(
    ("made", "schema_only"),
    [(with_creator, False), (with_connect_args, False), (with_listener, False), (with_creator, True)],
)
def test_it_is_reached_as_the_connected_one_was(
    guarded: sa.URL,
    elsewhere: str,
    postgres_url: str,
    tmp_path: Path,
    made: Callable[[sa.URL], sa.Engine],
    schema_only: bool,
) -> None:
    config = miniature(tmp_path / "project", creates("plants") if schema_only else MAKES_A_ROLE)
    if schema_only:
        role = f"poor_{guarded.database}"
        execute(
            postgres_url,
            f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
            f"GRANT CREATE ON DATABASE {guarded.database} TO {role}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
            f"GRANT ALL ON SCHEMA public TO {role}",
        )
        guarded = guarded.set(username=role, password="x")
    try:
        assert Migrator(config, connection=made(guarded)).stamp("head").after == ("001",)
        assert heads(postgres_url) == ["001"]
        assert (ask(postgres_url, ROLES), ask(elsewhere, ROLES)) == (0 if schema_only else 1, 0)
    finally:
        execute(postgres_url, "DROP ROLE IF EXISTS made_by_a_replay")
        if schema_only:
            execute(postgres_url, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


@pytest.mark.parametrize("reason", ["it reaches another server", "password authentication failed"])
def test_a_driver_that_does_not_tell_is_refused_where_the_url_leads_elsewhere(
    guarded: sa.URL, elsewhere: str, tmp_path: Path, reason: str
) -> None:
    config = miniature(tmp_path / "project", MAKES_A_ROLE)
    before = rows(elsewhere, "SELECT oid, datname FROM pg_database")
    wrong = guarded.set(password="wrong") if reason.startswith("password") else sa.make_url("postgresql:///postgres")

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(guarded.set(drivername="postgresql").render_as_string(hide_password=False))

    async def stamp() -> None:
        engine = create_async_engine(
            wrong.set(drivername="postgresql+asyncpg"), poolclass=NullPool, async_creator=connect
        )
        async with engine.connect() as connection:
            await connection.run_sync(lambda own: Migrator(config, connection=own).stamp("head"))

    with pytest.raises(DatabaseError) as refused:
        asyncio.run(stamp())
    assert refused.value.code == "scratch-elsewhere"
    assert_says(str(refused.value), "scratch-elsewhere", reason, "Nothing was changed.")
    assert GUARDED_PASSWORD not in str(refused.value)
    assert rows(elsewhere, "SELECT oid, datname FROM pg_database") == before
    assert ask(elsewhere, ROLES) == 0
