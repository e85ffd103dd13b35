"""What depends on a table in SQLite: its indexes and triggers, which are dropped with it, and the views that read it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.dialects.sqlite.sql.tokens import cut, folded, names_in, quoted, same

_ASKED = count()


@dataclass(frozen=True)
class Dependent:
    """An index, trigger or view: its row in the schema table. `sql` is the text that made it, `table` that of an index or trigger."""

    kind: str
    name: str
    table: str
    sql: str
    schema: str = "main"

    def create(self, connection: Connection) -> None:
        """Create it again from its own text, from which SQLite has removed the schema's name."""
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
        """Return whether it is still in the database, with the same text. Reads only."""
        question = f"SELECT sql FROM {quoted(self.schema)}.sqlite_master WHERE type = ? AND name = ?"
        return connection.exec_driver_sql(question, (self.kind, self.name)).scalar() == self.sql

    def exists(self, connection: Connection) -> bool:
        """Return whether one of its kind and name is in the database, whatever its text: renaming a column changes that. Reads only."""
        question = f"SELECT 1 FROM {quoted(self.schema)}.sqlite_master WHERE type = ? AND name = ? COLLATE NOCASE"
        return bool(connection.exec_driver_sql(question, (self.kind, self.name)).all())

    def has_a_like(self, connection: Connection) -> bool:
        """Return whether its table has one of this name, or an index that says the same under another name. Reads only."""
        there = [other for other in on_table(connection, self.schema, self.table) if other.kind == self.kind]
        return any(same(other.name, self.name) or other._body == self._body for other in there)

    @property
    def _body(self) -> list[str]:
        """Its text, of an index without the name."""
        words = [token.normal for token in cut(self.sql)]
        return words[words.index("on") :] if self.kind == "index" else words

    def names(self, columns: Iterable[str]) -> str | None:
        """Return the first of the columns whose name is anywhere in its text, None if none is."""
        known = names_in(cut(self.sql))
        return next((column for column in columns if folded(column) in known), None)

    def compile_errors(self, connection: Connection) -> tuple[str | None, ...]:
        """Return for each use of it why SQLite cannot compile it, None if it can. Runs none of them."""
        errors: list[str | None] = []
        for statement in self._uses(connection):
            try:
                # Python's driver keeps what it has compiled by its text, and SQLite does not notice that an EXPLAIN is out of date.
                connection.exec_driver_sql(f"EXPLAIN {statement} -- {next(_ASKED)}").close()
                errors.append(None)
            except DBAPIError as error:
                errors.append(str(error.orig))
        return tuple(errors)

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

    def misread_if_dropped(self, columns: Iterable[str]) -> str | None:
        """Return a column that it writes in double quotes without a table: SQLite reads such a name as a text once the column is gone."""
        wanted = {folded(column): column for column in columns}
        before = ""
        for token in cut(self.sql):
            if token.text.startswith('"') and token.normal in wanted and before != ".":
                return wanted[token.normal]
            before = token.text
        return None

    def updates_of(self, columns: Iterable[str]) -> str | None:
        """Return a column in a trigger's UPDATE OF, which SQLite does not check."""
        wanted = {folded(column): column for column in columns}
        tokens, listed = list(cut(self.sql)), False
        for at, token in enumerate(tokens):
            if token.word == "OF" and tokens[at - 1].word == "UPDATE":
                listed = True
            elif token.word == "ON":
                return None
            elif listed and folded(token.name) in wanted:
                return wanted[folded(token.name)]
        return None

    @property
    def label(self) -> str:
        """What an error and `accept_loss` call it."""
        return f"{self.table}: {self.kind} {self.name}" if self.kind != "view" else f"view {self.name}"


def on_table(connection: Connection, schema: str, table: str) -> list[Dependent]:
    """Return the indexes and triggers that are dropped with the table, without those of a UNIQUE or PRIMARY KEY. Reads only."""
    return [found for found in _all(connection, schema, ("index", "trigger")) if same(found.table, table)]


def mentioning(connection: Connection, schema: str, table: str) -> list[Dependent]:
    """Return the views and triggers, also those of other tables, that name the table, or a view that reads it. Reads only."""
    there = _all(connection, schema, ("trigger", "view"))
    reached, names = {folded(table)}, {folded(table)}
    while reached:
        views = {folded(found.name) for found in there if found.kind == "view" and found.names(reached)}
        reached, names = views - names, names | views
    return [found for found in there if found.names(names) or same(found.table, table)]


def table_exists(connection: Connection, schema: str, table: str) -> bool:
    """Return whether there is a table of this name. Reads only."""
    question = f"SELECT 1 FROM {quoted(schema)}.sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
    return bool(connection.exec_driver_sql(question, (table,)).all())


def _all(connection: Connection, schema: str, kinds: tuple[str, ...]) -> list[Dependent]:
    rows = connection.exec_driver_sql(
        f"SELECT type, name, tbl_name, sql FROM {quoted(schema)}.sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    ).all()
    return [Dependent(kind, name, table, sql, schema) for kind, name, table, sql in rows if kind in kinds]
