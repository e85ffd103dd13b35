"""What hangs on a table in SQLite: its indexes and triggers, which go with it, and the views that read it."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.sqlite.sql.tokens import cut, names_in, quoted, same


@dataclass(frozen=True)
class Thing:
    """An index, trigger or view: what the schema table has in its row, and its own words."""

    kind: str
    name: str
    table: str
    sql: str
    schema: str = "main"

    def create(self, connection: Connection) -> None:
        """Make it again from its own words; SQLite has dropped the schema's name from them."""
        if self.schema == "main":
            connection.exec_driver_sql(self.sql)
            return
        tokens = cut(self.sql)
        at = next(token.end for token in tokens if token.word in ("INDEX", "TRIGGER"))
        connection.exec_driver_sql(f"{self.sql[:at]} {quoted(self.schema)}.{self.sql[at:].lstrip()}")

    def drop(self, connection: Connection) -> None:
        """Drop it."""
        connection.exec_driver_sql(f"DROP {self.kind} {quoted(self.schema)}.{quoted(self.name)}")

    def is_there(self, connection: Connection) -> bool:
        """Return whether it still is in the database, in the same words."""
        question = f"SELECT sql FROM {quoted(self.schema)}.sqlite_master WHERE type = ? AND name = ?"
        return connection.exec_driver_sql(question, (self.kind, self.name)).scalar() == self.sql

    def has_a_like(self, connection: Connection) -> bool:
        """Return whether there is one of this name, or an index that says the same under another."""
        there = [thing for thing in on_table(connection, self.schema, self.table) if thing.kind == self.kind]
        return any(same(thing.name, self.name) or thing._body == self._body for thing in there)

    @property
    def _body(self) -> list[str]:
        """An index without its name; a trigger with it."""
        words = [token.normal for token in cut(self.sql)]
        return words[words.index("on") :] if self.kind == "index" else words

    def names(self, columns: Iterable[str]) -> str | None:
        """Return which of the columns its text names, None when none; a name alone is enough, wherever it stands."""
        known = names_in(cut(self.sql))
        return next((column for column in columns if column.casefold() in known), None)

    def troubles(self, connection: Connection) -> tuple[str | None, ...]:
        """Return why SQLite cannot use it, None for each use that it can make. Compiles what would use it, and runs nothing."""
        found: list[str | None] = []
        for statement in self._uses(connection):
            try:
                connection.exec_driver_sql("EXPLAIN " + statement).close()
                found.append(None)
            except DBAPIError as error:
                found.append(str(error.orig))
        return tuple(found)

    def _uses(self, connection: Connection) -> tuple[str, ...]:
        where = f"{quoted(self.schema)}.{quoted(self.table)}"
        if self.kind == "view":
            return (f"SELECT * FROM {where}",)
        rows = connection.exec_driver_sql(f"PRAGMA {quoted(self.schema)}.table_xinfo({quoted(self.table)})").all()
        if not rows:
            return (f"SELECT * FROM {where}",)
        plain = [quoted(row[1]) for row in rows if not row[6]] or [quoted(rows[0][1])]
        update = ", ".join(f"{name} = {name}" for name in plain)
        values = ", ".join("NULL" for _ in plain)
        return (
            f"INSERT INTO {where} ({', '.join(plain)}) VALUES ({values})",
            f"UPDATE {where} SET {update}",
            f"DELETE FROM {where}",
        )

    def silently(self, columns: Iterable[str]) -> str | None:
        """Return a column that it writes in double quotes alone: SQLite takes such a name for a text once the column is gone."""
        wanted = {column.casefold(): column for column in columns}
        before = ""
        for token in cut(self.sql):
            if token.text.startswith('"') and token.normal in wanted and before != ".":
                return wanted[token.normal]
            before = token.text
        return None

    def updates_of(self, columns: Iterable[str]) -> str | None:
        """Return a column in a trigger's UPDATE OF, which SQLite does not look up."""
        wanted = {column.casefold(): column for column in columns}
        tokens, listed = list(cut(self.sql)), False
        for at, token in enumerate(tokens):
            if token.word == "OF" and tokens[at - 1].word == "UPDATE":
                listed = True
            elif token.word == "ON":
                return None
            elif listed and token.name.casefold() in wanted:
                return wanted[token.name.casefold()]
        return None

    @property
    def words(self) -> str:
        """What an error, or `accept_loss`, calls it."""
        return f"{self.table}: {self.kind} {self.name}" if self.kind != "view" else f"view {self.name}"


def on_table(connection: Connection, schema: str, table: str) -> list[Thing]:
    """Return the indexes and triggers that go when the table is dropped; not those that are made by a UNIQUE or PRIMARY KEY."""
    return [thing for thing in _all(connection, schema, ("index", "trigger")) if same(thing.table, table)]


def mentioning(connection: Connection, schema: str, table: str) -> list[Thing]:
    """Return the views and triggers, also other tables' own, in whose text the table's name stands."""
    return [
        thing
        for thing in _all(connection, schema, ("trigger", "view"))
        if thing.names([table]) or same(thing.table, table)
    ]


def _all(connection: Connection, schema: str, kinds: tuple[str, ...]) -> list[Thing]:
    rows = connection.exec_driver_sql(
        f"SELECT type, name, tbl_name, sql FROM {quoted(schema)}.sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    ).all()
    return [Thing(kind, name, table, sql, schema) for kind, name, table, sql in rows if kind in kinds]
