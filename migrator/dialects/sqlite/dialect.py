"""SQLite: one file, and definitions stored as SQL."""

import re
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from migrator.dialects.dialect import Dialect, Explanation, UnseenIndex
from migrator.dialects.schema_object import SchemaObject
from migrator.dialects.scratch import Scratch
from migrator.dialects.sqlite import offline, scratch
from migrator.dialects.sqlite.catalog import objects, sql_texts
from migrator.dialects.sqlite.rebuild.rows import Retyped, Rows
from migrator.dialects.sqlite.rebuild.values import Kind
from migrator.dialects.sqlite.session import SQLiteSession
from migrator.dialects.sqlite.sql import spelling
from migrator.dialects.sqlite.url import file_of
from migrator.settings import Settings

_ADVICE = {
    "unable to open database file": "See that the folder exists and may be written, and that the path is a file.",
    "file is not a database": "Correct the path; this file is something else, or encrypted.",
    "readonly database": "Give the file and its folder write permission, or migrate as its owner.",
    "locked": "Stop the application that writes to it, or wait longer: --lock-wait.",
    "disk I/O error": "Check whether the disk is full or failing.",
    "disk is full": "Free some space on the disk.",
}


class SQLite(Dialect):
    """Statements about the database file; `SQLiteSession` is the run."""

    name = "sqlite"
    not_compared = objects.NOT_COMPARED

    def session(self, connection: Connection, settings: Settings) -> SQLiteSession:
        return SQLiteSession(self, connection, settings)

    def missing(self, url: sa.URL) -> str | None:
        path = file_of(url)
        # SQLite takes "x/.." out of a path before it opens the file, even where there is no x.
        return None if path is None or Path(path).resolve().exists() else path

    def version_tables(self, connection: Connection, schema: str | None) -> frozenset[str]:
        return sql_texts.version_tables(connection, schema or "main")

    def objects(
        self, connection: Connection, *, ignore: Collection[str] = (), memo: dict[Any, Any] | None = None
    ) -> dict[str, SchemaObject]:
        return objects.objects(connection, self, ignore=ignore, memo=memo)

    def unseen_indexes(self, connection: Connection) -> dict[str, list[UnseenIndex]]:
        return sql_texts.unseen_indexes(connection)

    def definitions(self, connection: Connection, ignore: Collection[str]) -> list[str]:
        return sql_texts.definitions(connection, ignore)

    def undescribed_tables(self, connection: Connection) -> frozenset[str]:
        return sql_texts.undescribed_tables(connection)

    def scratch(self, connection: Connection, schemas: Collection[str] = ()) -> AbstractContextManager[Scratch]:
        return scratch.file()

    def canonical(self, expression: str, columns: Collection[str]) -> str:
        return spelling.expression(expression, columns)

    def unfit(
        self, connection: Connection, table: sa.TableClause, column: str, old: TypeEngine[Any], new: TypeEngine[Any]
    ) -> str | None:
        before, after = (Kind(type_, type_.compile(connection.dialect), connection.dialect) for type_ in (old, new))
        found, rows = Rows(connection, table.schema or "main", (), [Retyped(column, before, after)]).look(table.name)
        return found[0].told(table.name, rows) if found else None

    def missing_table(self, cause: DBAPIError) -> str | None:
        said = re.search(r"no such table: (?:main\.)?(.+)", str(cause.orig))
        return said and said[1]

    def offline(self, migration: MigrationContext) -> None:
        migration.impl = offline.OfflineImpl.around(migration.impl)

    def remedy(self, cause: DBAPIError) -> str | None:
        return next((advice for words, advice in _ADVICE.items() if words in str(cause.orig)), None)

    def explain(self, cause: DBAPIError, url: sa.URL) -> Explanation:
        plain = super().explain(cause, url)
        if url.database and Path(url.database).is_dir():
            return Explanation(f"{url.database} is a folder.", "Name a file in it.")
        known = (advice for words, advice in _ADVICE.items() if words in plain.reason)
        return plain._replace(advice=next(known, plain.advice))


DIALECT = SQLite()
