"""PostgreSQL: schemas, native types, an advisory lock, and a `lock_timeout` in every transaction."""

import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from migrator.alembic_private import alter_in_place
from migrator.dialects.dialect import Dialect, Explanation
from migrator.dialects.postgresql import scratch, sessions
from migrator.dialects.postgresql.catalog import casts, definitions, objects
from migrator.dialects.postgresql.session import PostgreSQLSession, sqlstate
from migrator.dialects.schema_object import SchemaObject
from migrator.dialects.scratch import Scratch
from migrator.settings import Settings

_VERSION_TABLES = """
    SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname = coalesce(CAST(:schema AS text), current_schema()) AND 'version_num' = (
        SELECT string_agg(a.attname, ',') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
"""
_HOME = """
    SELECT coalesce((
        SELECT n.nspname::text FROM unnest(CAST(:tables AS text[])) WITH ORDINALITY AS wanted (name, place)
        JOIN pg_class c ON c.oid = to_regclass(quote_ident(wanted.name)) JOIN pg_namespace n ON n.oid = c.relnamespace
        ORDER BY wanted.place LIMIT 1), current_schema()::text)
"""
_ADVICE = {
    "password authentication failed": "Correct the user or the password; @ / # % in it are written percent-encoded.",
    "no password supplied": "Give the password in the URL, in PGPASSWORD or in ~/.pgpass.",
    "does not exist": "Create it (createdb, createuser), or correct the name.",
    "refused": "Start PostgreSQL, or correct the host and the port.",
    "translate host name": "Correct the host's name.",
    "timeout expired": "Check whether a firewall blocks the connection.",
    "permission denied": "Grant the role what it lacks.",
}
# What helps against an error that a revision's file did not cause, by the beginning of its SQLSTATE.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_REMEDIES = {
    "08": "Wait until the server can be reached again.",
    "25006": "Give migrations the address of the primary, and a role that may write.",
    "28": "Let the role log in again.",
    "3F000": "No schema of the search_path exists, or the role may not use it: create it, or grant USAGE on it.",
    "40001": "Another session changed the same rows: run it again when there is less work on them.",
    "42501": "Grant the role what it lacks, or migrate as the owner of the tables (MIGRATION_DATABASE_URL).",
    "53": "Give the server what it has run out of: disk, memory or connections.",
    "57P": "Wait until the server accepts connections again.",
    "58": "Look at the server's log: its disk or its files failed.",
}


class PostgreSQL(Dialect):
    """Statements about the connected server; `PostgreSQLSession` is the run."""

    name = "postgresql"
    not_compared = objects.NOT_COMPARED

    def session(self, connection: Connection, settings: Settings) -> PostgreSQLSession:
        return PostgreSQLSession(self, connection, settings)

    def schemas(self, connection: Connection) -> tuple[str | None, ...]:
        inspector = sa.inspect(connection)
        default = inspector.default_schema_name or ""
        if default.startswith(scratch.NAME):  # a scratch schema next to the real ones
            return (None,)
        return (None, *(name for name in inspector.get_schema_names() if name not in (default, "information_schema")))

    def objects(
        self, connection: Connection, *, ignore: Collection[str] = (), memo: dict[Any, Any] | None = None
    ) -> dict[str, SchemaObject]:
        return objects.objects(connection, self, ignore=ignore, memo=memo)

    def home(self, connection: Connection, tables: Sequence[str]) -> str | None:
        found: str | None = connection.execute(sa.text(_HOME), {"tables": list(tables)}).scalar_one()
        return found

    def version_tables(self, connection: Connection, schema: str | None) -> frozenset[str]:
        return frozenset(connection.execute(sa.text(_VERSION_TABLES), {"schema": schema}).scalars())

    def lock_definitions(self, connection: Connection, tables: Collection[str]) -> None:
        sessions.lock_definitions(connection, tables)

    def scratch(self, connection: Connection, schemas: Collection[str] = ()) -> AbstractContextManager[Scratch]:
        return scratch.database(connection, schemas)

    def missing_table(self, cause: DBAPIError) -> str | None:
        if sqlstate(cause) != "42P01":  # undefined_table
            return None
        said = re.search(r'"(.+?)"', str(cause.orig))
        return said[1] if said else "of the statement"

    def in_autocommit(self, connection: Connection) -> bool:
        # As every driver says it; SQLAlchemy's detect_autocommit_setting() says the same since 2.0.43 only.
        return bool(getattr(connection.connection.dbapi_connection, "autocommit", False))

    def rename_constraint(self, table: str, old: str, new: str) -> str | None:
        schema, _, name = table.rpartition(".")
        where = ".".join(map(_quoted, filter(None, (schema, name))))
        return f"ALTER TABLE {where} RENAME CONSTRAINT {_quoted(old)} TO {_quoted(new)}"

    def unfit(
        self, connection: Connection, table: sa.TableClause, column: str, old: TypeEngine[Any], new: TypeEngine[Any]
    ) -> str | None:
        value: sa.ColumnClause[Any] = sa.column(column)
        back = sa.cast(
            sa.cast(sa.cast(value, new), old), sa.Text()
        )  # a cast to a shorter type cuts or rounds without a word
        changed = sa.select(sa.func.count()).select_from(table).where(back.is_distinct_from(sa.cast(value, sa.Text())))
        try:
            with connection.begin_nested():
                count = connection.scalar(changed)
        except DBAPIError as cause:
            if cause.connection_invalidated:
                raise
            return str(cause.orig).partition("\n")[0]
        return f"{count:,} values would change" if count else None

    def canonical(self, expression: str, columns: Collection[str]) -> str:
        return casts.stripped(expression)

    def before_tables(self, connection: Connection, metadata: sa.MetaData) -> list[str]:
        return definitions.before_tables(connection, metadata)

    def after_tables(self, connection: Connection, metadata: sa.MetaData) -> list[str]:
        return definitions.after_tables(connection, metadata)

    def views_on(self, connection: Connection, tables: Iterable[str]) -> dict[str, str | None]:
        return definitions.views_on(connection, tables)

    def render_type(self, item: object) -> str | Literal[False]:
        if isinstance(item, sa.Enum) and item.name:
            schema = f", schema={item.schema!r}" if item.schema else ""
            return f"postgresql.ENUM({', '.join(map(repr, item.enums))}, name={item.name!r}{schema}, create_type=False)"
        return False

    def offline(self, migration: MigrationContext) -> None:
        alter_in_place(migration.impl)

    def remedy(self, cause: DBAPIError) -> str | None:
        state = sqlstate(cause) or ("08" if cause.connection_invalidated else "")
        return next((advice for prefix, advice in _REMEDIES.items() if state.startswith(prefix)), None)

    def explain(self, cause: DBAPIError, url: sa.URL) -> Explanation:
        plain = super().explain(cause, url)
        known = (advice for words, advice in _ADVICE.items() if words in plain.reason)
        return plain._replace(advice=next(known, plain.advice))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


DIALECT = PostgreSQL()
