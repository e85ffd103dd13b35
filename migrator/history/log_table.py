"""The table of the log: what is in it, whether a table of its name is it, and what one of an older release lacks."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateColumn

from migrator import dialects
from migrator.dialects.dialect import Dialect
from migrator.errors import error
from migrator.types import JSONDocument, UTCDateTime


def table_of(dialect: Dialect, name: str, schema: str | None) -> sa.Table:
    """Return the table, as this kind of database has it.

    The columns that may not be NULL are those of the first release. The others may be missing in an older one, and an older engine that
    writes leaves out those that it does not know.
    """
    text = sa.Text()
    identity = dialects.part(dialect.name, "types").identity_type()
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", identity, sa.Identity(), nullable=False),
        sa.Column("version_table", text),
        sa.Column("revision", text, nullable=False),
        sa.Column("description", text, nullable=False),
        sa.Column("direction", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        *(sa.Column(name, text) for name in ("database_user", "os_user", "host", "program", "git_commit")),
        sa.Column("file", text),
        sa.Column("checksum", sa.String(64)),
        sa.Column("signature", sa.String(64)),
        sa.Column("source", text),
        sa.Column("error", text),
        sa.Column("statements", JSONDocument()),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.Index(f"ix_{name}_outcome", "version_table", "outcome", "direction", "revision", "id"),
        sa.Index(f"ix_{name}_id", "version_table", "id"),
        schema=schema,
    )


def columns_there(connection: Connection, table: sa.Table) -> frozenset[str]:
    """Return the columns that the log has in this database, none where there is no log. Reads only.

    Raises DatabaseError "log-table-foreign" for a table of that name that is another program's.
    """
    if not sa.inspect(connection).has_table(table.name, table.schema):
        return frozenset()
    found = frozenset(connection.execute(sa.text(f"SELECT * FROM {name_of(connection, table)} WHERE 1 = 0")).keys())
    missing = tuple(column.name for column in table.columns if not column.nullable and column.name not in found)
    if missing:
        raise error("log-table-foreign", table=table.fullname, missing=missing)
    return found


def complete(connection: Connection, table: sa.Table) -> None:
    """Create the log, or what one of an older release lacks, in the connection's own transaction."""
    there = columns_there(connection, table)
    if not there:
        _create(connection, table)
        return
    lacking = [column for column in table.columns if column.name not in there]
    for column in lacking:
        definition = CreateColumn(column).compile(dialect=connection.dialect)
        connection.execute(sa.text(f"ALTER TABLE {name_of(connection, table)} ADD COLUMN {definition}"))
    if any(column.name == "version_table" for column in lacking):
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def name_of(connection: Connection, table: sa.Table) -> str:
    """Return the table's name as SQL for `sa.text`, which gives : and % a meaning of their own."""
    preparer = connection.dialect.identifier_preparer
    name = preparer.format_table(table)
    if preparer.quote("%") == '"%%"':  # doubled for the driver, as `sa.text` does once more
        name = name.replace("%%", "%")
    return name.replace(":", r"\:")


def _create(connection: Connection, table: sa.Table) -> None:
    """Create it. The first runs of two histories may do so at the same time, because their locks are two: one of them finds it made."""
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        table.create(connection, checkfirst=True)
        return
    mark = connection.begin_nested()
    try:
        table.create(connection)
    except DBAPIError as raised:
        if raised.connection_invalidated:
            raise
        mark.rollback()
        if not columns_there(connection, table):
            raise
    else:
        mark.commit()
