"""An empty PostgreSQL database for a short time, to replay a history in and read the schema that it makes."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from migrator.dialects.postgresql.url import synchronous
from migrator.errors import error

NAME = "migrator_scratch_"


@contextmanager
def database(connection: Connection) -> Iterator[Connection]:
    """Create a database on the connected server, or a schema in the connected one if the role may not create databases.

    It is dropped afterwards. Raises DatabaseError "scratch-refused", which says what to grant, if the role may create neither.
    """
    name = f"{NAME}{uuid.uuid4().hex[:16]}"
    url = synchronous(connection.engine.url)
    admin = sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        if _allowed(admin, f"CREATE DATABASE {name} TEMPLATE template0"):
            try:
                yield from _connected(sa.create_engine(url.set(database=name), poolclass=NullPool))
            finally:
                _execute(admin, f"DROP DATABASE {name} WITH (FORCE)")
        elif _allowed(admin, f"CREATE SCHEMA {name}"):
            try:
                # Only that schema: a name that is missing there must not be found among the real tables.
                options = {"options": f"-csearch_path={name}"}
                yield from _connected(sa.create_engine(url, poolclass=NullPool, connect_args=options))
            finally:
                _execute(admin, f"DROP SCHEMA {name} CASCADE")
        else:
            raise error("scratch-refused", role=url.username or "the role", database=url.database)
    finally:
        admin.dispose()


def _connected(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _allowed(admin: Engine, statement: str) -> bool:
    try:
        _execute(admin, statement)
    except DBAPIError as cause:
        if getattr(cause.orig, "pgcode", None) == "42501":  # insufficient_privilege
            return False
        raise
    return True


def _execute(admin: Engine, statement: str) -> None:
    with admin.connect() as connection:
        connection.exec_driver_sql(statement)
