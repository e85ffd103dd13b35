"""The questions about a database that need no run. Here each is answered "no, nothing"."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from migrator.dialects.schema_object import SchemaObject
from migrator.dialects.scratch import Scratch
from migrator.errors import error
from migrator.masking import mask, scrub


class UnseenIndex(NamedTuple):
    """An index that SQLAlchemy does not reflect. `definition` is what follows the table's name, with `unique ` in front where it is."""

    name: str
    definition: str


class Explanation(NamedTuple):
    """Why a database cannot be used, and what the user can do: one sentence each."""

    reason: str
    advice: str


class Questions:
    """What is asked of a database outside of a run, and what a `Session` knows of its database. It holds nothing."""

    name: str
    """The name of SQLAlchemy's dialect."""

    not_compared: tuple[str, ...] = ()
    """What `objects` does not tell, in words for users."""

    def missing(self, url: sa.URL) -> str | None:
        """Return the path of the file that connecting would create, None if it exists or there is no such thing. Reads only."""
        return None

    def schemas(self, connection: Connection) -> tuple[str | None, ...]:
        """Return the schemas in which tables may be, None for the default one. Reads only."""
        return (None,)

    def objects(
        self, connection: Connection, *, ignore: Collection[str] = (), memo: dict[Any, Any] | None = None
    ) -> dict[str, SchemaObject]:
        """Return every object of the schema, in words that are equal if they do the same, but those named in `ignore`. Reads only.

        `memo` remembers, between calls that share it, what was read: an object that did not change is the same one.
        """
        raise NotImplementedError

    def home(self, connection: Connection, tables: Sequence[str]) -> str | None:
        """Return the schema in which the first of these is, else the one that a new table goes to; None for no schemas. Reads only."""
        return None

    def version_tables(self, connection: Connection, schema: str | None) -> frozenset[str]:
        """Return the tables of a schema, None for the default one, that look like Alembic's: one column, `version_num`. Reads only."""
        return frozenset()

    def unseen_indexes(self, connection: Connection) -> dict[str, list[UnseenIndex]]:
        """Return for each table the indexes that SQLAlchemy does not reflect. Reads only."""
        return {}

    def definitions(self, connection: Connection, ignore: Collection[str]) -> list[str]:
        """Return the SQL that creates all tables, but those in `ignore`, and what depends on them, if it is stored. Reads only."""
        return []

    def undescribed_tables(self, connection: Connection) -> frozenset[str]:
        """Return the tables, case-folded, that no model can describe, and that autogenerate must not drop. Reads only."""
        return frozenset()

    def lock_definitions(self, connection: Connection, tables: Collection[str]) -> None:
        """Keep other sessions from changing the definition of these tables until the transaction ends; they may change rows."""

    def scratch(self, connection: Connection, schemas: Collection[str] = ()) -> AbstractContextManager[Scratch]:
        """Create an empty database of the same kind, with these schemas, connect to it, and drop it afterwards.

        Raises DatabaseError if it is not allowed.
        """
        raise NotImplementedError

    def missing_table(self, cause: DBAPIError) -> str | None:
        """Return the table that a statement failed for because it is not there, None for every other failure. Sends nothing."""
        return None

    def offline(self, migration: MigrationContext) -> None:
        """Prepare a run that writes SQL to a file."""

    def in_autocommit(self, connection: Connection) -> bool:
        """Return whether the connection commits each statement by itself. Sends nothing."""
        return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"

    def rename_constraint(self, table: str, old: str, new: str) -> str | None:
        """Return the statement that renames a constraint, None if there is none. Sends nothing."""
        return None

    def unfit(
        self, connection: Connection, table: sa.TableClause, column: str, old: TypeEngine[Any], new: TypeEngine[Any]
    ) -> str | None:
        """Return in words the values of a column that another type would change or refuse, None if each can stay. Reads only."""
        return None

    def canonical(self, expression: str, columns: Collection[str]) -> str:
        """Return a default or a condition without the casts that the database adds on its own, and without quotes that mean nothing.

        `columns` are the names that it may use. Sends nothing.
        """
        return expression

    def before_tables(self, connection: Connection, metadata: sa.MetaData) -> list[str]:
        """Return the SQL of what must exist before these tables: schemas, types, functions. Reads only."""
        return []

    def after_tables(self, connection: Connection, metadata: sa.MetaData) -> list[str]:
        """Return the SQL of what Alembic's operations do not create of these tables, or next to them: triggers, views. Reads only."""
        return []

    def views_on(self, connection: Connection, tables: Iterable[str]) -> dict[str, str | None]:
        """Return the SQL of each view that reads these tables, and None for each table that such a view reads. Reads only.

        Nothing where `definitions` returns the views.
        """
        return {}

    def render_type(self, item: object) -> str | Literal[False]:
        """Return how a revision writes a type whose SQL `before_tables` returns, False for all others. As Alembic's `render_item`."""
        return False

    def explain(self, cause: DBAPIError, url: sa.URL) -> Explanation:
        """Return why the database cannot be used, and what to do. Reads nothing but the cause and, on SQLite, the path."""
        return Explanation(" ".join(str(cause.orig).split()), "Read what the database says.")

    def remedy(self, cause: DBAPIError) -> str | None:
        """Return what helps against an error whose cause is outside of the revision's file, None if it may be in there. Sends nothing."""
        return None

    @contextmanager
    def translate_driver_errors(self, url: sa.URL, source: str) -> Iterator[None]:
        """Raise DatabaseError "database-unreachable" in place of what the driver raises in the block; passwords are hidden in it.

        `source` says where the URL was found.
        """
        try:
            yield
        except DBAPIError as cause:
            reason, advice = self.explain(cause, url)
            raise error(
                "database-unreachable", url=mask(url), reason=scrub(reason, url), advice=advice, source=source
            ) from cause
