"""An empty PostgreSQL database for a short time, to replay a history in and read the schema that it makes."""

import logging
import re
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from migrator.dialects.postgresql.lock import is_pooled
from migrator.dialects.postgresql.same_server import SameServer
from migrator.dialects.postgresql.session import sqlstate
from migrator.dialects.scratch import Outside, Scratch
from migrator.dialects.session import autocommits
from migrator.errors import error

NAME = "migrator_scratch_"
_log = logging.getLogger("migrator")
_DENIED = "42501"  # insufficient_privilege
_NO_SCHEMA = "3F000"  # invalid_schema_name
_UNDEFINED = ("42704", "42883")  # undefined_object, undefined_function
_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|migrator_scratch_|information_schema$)'"
_EXTENSIONS = (
    "SELECT extname, nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname <> 'plpgsql'"
)
# What a transaction changes it has locked, and what it creates has its number.
_OUTSIDE = """
    SELECT 'the table ' || l.relation::regclass FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE l.pid = pg_backend_pid() AND l.mode <> 'AccessShareLock' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND n.nspname <> current_schema() AND n.nspname !~ '^pg_'
    UNION SELECT 'the schema ' || nspname FROM pg_namespace WHERE xmin = pg_current_xact_id()::xid
    UNION SELECT 'the extension ' || extname FROM pg_extension WHERE xmin = pg_current_xact_id()::xid
    UNION SELECT 'the function ' || f.oid::regprocedure FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE f.xmin = pg_current_xact_id()::xid AND n.nspname <> current_schema() ORDER BY 1
"""


class ScratchDatabase(Scratch):
    """A database of its own, which can be given what the connected one has from elsewhere: schemas and extensions."""

    def __init__(self, connection: Connection, real: Engine) -> None:
        """Hold them; `real` is connected to the user's database, which is only read."""
        super().__init__(connection)
        self._real = real

    def complete(self, cause: DBAPIError, texts: str) -> bool:
        quote = self.connection.dialect.identifier_preparer.quote_identifier
        if sqlstate(cause) == _NO_SCHEMA:
            named = [name for (name,) in self._lacking(_SCHEMAS) if name in str(cause.orig)]
            return self._create(f"CREATE SCHEMA {quote(name)}" for name in named)
        if sqlstate(cause) not in _UNDEFINED:
            return False
        wanted = [row for row in self._lacking(_EXTENSIONS) if not _creates_extension(texts, row[0])]
        schemas = {f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}" for _, schema in wanted}
        return self._create([*schemas, *(f"CREATE EXTENSION {quote(n)} SCHEMA {quote(s)} CASCADE" for n, s in wanted)])

    def _lacking(self, asked: str) -> list[Any]:
        """Return the rows of the connected database whose first value is not in the scratch one."""
        there = {row[0] for row in self.connection.exec_driver_sql(asked)}
        self.connection.rollback()
        with self._real.connect() as real:
            return [row for row in real.exec_driver_sql(asked) if row[0] not in there]

    def _create(self, statements: Collection[str] | Iterator[str]) -> bool:
        made = list(statements)
        try:
            for statement in made:
                self.connection.exec_driver_sql(statement)
            self.connection.commit()
        except DBAPIError as refused:
            self.connection.rollback()
            _log.info("The scratch database lacks what the connected one has: %s", refused.orig)
            return False
        return bool(made)


class ScratchSchema(Scratch):
    """A schema in the connected database. Whatever else is there is the user's, so that a step that changes it is not committed."""

    def __init__(self, connection: Connection) -> None:
        """Hold the connection, and read which other schemas there are."""
        super().__init__(connection, whole=False)
        names = connection.exec_driver_sql(_SCHEMAS).scalars().all()
        connection.rollback()
        self._others = (
            re.compile(rf'(?<![\w"])"?({"|".join(map(re.escape, names))})"?\s*\.', re.IGNORECASE) if names else None
        )
        sa.event.listen(connection, "before_cursor_execute", self._refuse_committing)

    def _refuse_committing(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        """In an `autocommit_block()` nothing could be rolled back, so that the text has to do."""
        if self._others is not None and autocommits(connection) and (named := self._others.search(statement)):
            raise Outside([f"the schema {named[1]}"])

    def refuse_outside(self) -> None:
        if outside := self.connection.exec_driver_sql(_OUTSIDE).scalars().all():
            raise Outside(outside)


@contextmanager
def database(connection: Connection, schemas: Collection[str]) -> Iterator[Scratch]:
    """Create a database on the connected server, or a schema in the connected one if the role may not create databases.

    It is dropped afterwards. A new database has `schemas` and the connected one's search_path. Raises DatabaseError "scratch-refused",
    which says what to grant, if the role may create neither, "scratch-behind-pooler" if it is to be a schema, and a pooler may send a
    statement into another one, and "scratch-elsewhere", before anything is created, where a new connection reaches another server.
    """
    name = f"{NAME}{uuid.uuid4().hex[:16]}"
    server = SameServer(connection)
    admin = server.engine(server.database, isolation_level="AUTOCOMMIT")
    try:
        if _allowed(admin, f"CREATE DATABASE {name} TEMPLATE template0"):
            try:
                engine = server.engine(name)
                if _reachable(engine, name):
                    _prepare(connection, admin, server.engine(name, isolation_level="AUTOCOMMIT"), schemas)
                    with _connected(engine) as scratch:
                        yield ScratchDatabase(scratch, admin)
                    return
            finally:
                _execute(admin, f"DROP DATABASE {name} WITH (FORCE)")
        if _allowed(admin, f"CREATE SCHEMA {name}"):
            try:
                # Only that schema: a name that is missing there must not be found among the real tables.
                engine = server.engine(server.database, search_path=name)
                if not _keeps_search_path(engine, name):
                    raise error("scratch-behind-pooler")
                with _connected(engine) as scratch:
                    yield ScratchSchema(scratch)
            finally:
                _execute(admin, f"DROP SCHEMA {name} CASCADE")
        else:
            raise error("scratch-refused", role=server.role, database=server.database)
    finally:
        admin.dispose()


def _prepare(connection: Connection, admin: Engine, engine: Engine, schemas: Collection[str]) -> None:
    """Give the new database the schemas, and the search_path under which unqualified names are those of the connected database."""
    asked = "SELECT current_setting('search_path'), current_schema(), current_setting('search_path') = boot_val FROM pg_settings"
    was_idle = not connection.in_transaction()
    path, default, usual = connection.exec_driver_sql(f"{asked} WHERE name = 'search_path'").one()
    if was_idle:
        connection.rollback()
    quote = admin.dialect.identifier_preparer.quote_identifier
    wanted = {*schemas, *([default] if default else [])} - {"public"}
    there = engine.url
    with _connected(engine) as made:
        for schema in sorted(wanted):
            made.exec_driver_sql(f"CREATE SCHEMA {quote(schema)}")
    if not usual:
        # The value came from a database: it is handed on as one, and never stands in a statement.
        with admin.connect() as session:
            session.execute(sa.text("SELECT set_config('search_path', :path, false)"), {"path": path})
            session.exec_driver_sql(f"ALTER DATABASE {there.database} SET search_path FROM CURRENT")


def _creates_extension(texts: str, name: str) -> bool:
    return re.search(rf"EXTENSION\b[^;]*?\b{re.escape(name)}\b", texts, re.IGNORECASE) is not None


@contextmanager
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
        if sqlstate(cause) == _DENIED:
            return False
        raise
    return True


def _execute(admin: Engine, statement: str) -> None:
    with admin.connect() as connection:
        connection.exec_driver_sql(statement)
