"""An empty PostgreSQL database for a short time, to replay a history in and read the schema that it makes."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from migrator.dialects.postgresql.lock import is_pooled
from migrator.dialects.postgresql.url import synchronous
from migrator.errors import error

NAME = "migrator_scratch_"


@contextmanager
def database(connection: Connection) -> Iterator[Connection]:
    """Create a database on the connected server, or a schema in the connected one if the role may not create databases.

    It is dropped afterwards. Raises DatabaseError "scratch-refused", which says what to grant, if the role may create neither, and
    "scratch-behind-pooler" if it is to be a schema, and a pooler may send a statement into another one.
    """
    name = f"{NAME}{uuid.uuid4().hex[:16]}"
    url = synchronous(connection.engine.url)
    admin = sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        if _allowed(admin, f"CREATE DATABASE {name} TEMPLATE template0"):
            try:
                engine = sa.create_engine(url.set(database=name), poolclass=NullPool)
                if _reachable(engine, name):
                    yield from _connected(engine)
                    return
            finally:
                _execute(admin, f"DROP DATABASE {name} WITH (FORCE)")
        if _allowed(admin, f"CREATE SCHEMA {name}"):
            try:
                # Only that schema: a name that is missing there must not be found among the real tables.
                options = {"options": f"-csearch_path={name}"}
                engine = sa.create_engine(url, poolclass=NullPool, connect_args=options)
                if not _keeps_search_path(engine, name):
                    raise error("scratch-behind-pooler")
                yield from _connected(engine)
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


def _reachable(engine: Engine, name: str) -> bool:
    """Return whether a connection arrives in that database. pg_hba.conf may allow some only, and a pooler may lead to another one."""
    try:
        with engine.connect() as connection:
            return bool(connection.exec_driver_sql("SELECT current_database()").scalar() == name)
    except OperationalError:  # what else it may be, the schema in the connected database meets too
        return False


def _keeps_search_path(engine: Engine, name: str) -> bool:
    """Return whether each transaction works in that schema alone: one that a pooler sends elsewhere would work on the real tables."""
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT current_schemas(false)::text").scalar()
            connection.rollback()
            return found == f"{{{name}}}" and not is_pooled(connection)
    except OperationalError as cause:
        if "unsupported startup parameter" not in str(cause.orig):  # pgbouncer's words
            raise
        return False


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
