"""Foreign keys on SQLite: which statements could have broken one, and whether one did.

Foreign keys are switched off for a step, so that a rebuild cannot cascade; so SQLite does not look, and this module does.
`PRAGMA foreign_key_check` reads every row of a table, hence it is asked only of tables that a statement really concerned, before the
first such statement and before the commit. What was violated before is nobody's fault.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from migrator.dialects.sqlite.sql.statement import Statement, read
from migrator.dialects.sqlite.sql.tokens import cut, names_in, quoted

_ROWID = frozenset(("rowid", "oid", "_rowid_"))


class Key(NamedTuple):
    """A foreign key: column by column, `child` refers to `parent`. Names are without case."""

    child: str
    parent: str
    columns: frozenset[str]
    to: frozenset[str]


class Violation(NamedTuple):
    """A row without its parent, known by its rowid where a rebuild keeps that, else by its values."""

    table: str
    rowid: int | None
    parent: str
    columns: tuple[str, ...]
    values: str = ""

    @property
    def words(self) -> str:
        """What an error says of it."""
        if not self.columns:
            return f"{self.table}: {self.parent}"
        row = f" row {self.rowid}" if self.rowid is not None else ""
        value = f" = {self.values}" if self.values else ""
        return f"{self.table}{row}: ({', '.join(self.columns)}){value} has no row in {self.parent}"


class ForeignKeys:
    """Watches one connection. All that it knows is of one step; `forget()` begins the next."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver = connection.connection.driver_connection
        self._asking = False
        self.quiet = False
        """Set while statements run whose effect somebody else answers for."""
        self.forget()

    def forget(self) -> None:
        """Begin a step: nothing of an earlier one counts."""
        self.quiet = False
        self._before: dict[str, Counter[Violation]] = {}
        self._everything: Counter[Violation] | None = None
        self._unseen = False
        self._harmless: set[str] = set()
        self._keys: list[Key] | None = None
        self._changes: int | None = self._total()

    @contextmanager
    def watching(self, before: Callable[[Statement], None]) -> Iterator[None]:
        """Listen to every statement of the connection; `before` is told first what each does that changes something."""
        self._tell = before
        sa.event.listen(self._connection, "before_cursor_execute", self._about_to)
        sa.event.listen(self._connection, "after_cursor_execute", self._done)
        try:
            yield
        finally:
            sa.event.remove(self._connection, "before_cursor_execute", self._about_to)
            sa.event.remove(self._connection, "after_cursor_execute", self._done)

    def resume(self) -> None:
        """Look again after `quiet` statements, which may have changed every table."""
        self.quiet = False
        self._keys = None
        self._harmless.clear()

    @property
    def keys(self) -> list[Key]:
        """All foreign keys of the main database, as they are now."""
        if self._keys is None:
            found: dict[tuple[str, int], list[Any]] = {}
            for child, number, parent, column, to in self._ask(
                'SELECT m.name, f.id, f."table", f."from", f."to" FROM main.sqlite_master m, pragma_foreign_key_list(m.name) f '
                "WHERE m.type = 'table'"
            ):
                found.setdefault((child, number), [child, parent]).append((column, to))
            self._keys = [
                Key(
                    child.casefold(),
                    parent.casefold(),
                    frozenset(column.casefold() for column, _ in pairs),
                    frozenset(to.casefold() for _, to in pairs if to) or self._primary_key(parent),
                )
                for child, parent, *pairs in found.values()
            ]
        return self._keys

    def children(self, parent: str) -> set[str]:
        """Return the tables that refer to the table."""
        return {key.child for key in self.keys if key.parent == parent.casefold()}

    def concern(self, tables: set[str]) -> None:
        """Say that a key of these tables may be broken by what comes next; reads each of them once a step."""
        for table in {table.casefold() for table in tables} - self._before.keys():
            if self._everything is not None:
                self._before[table] = Counter({v: n for v, n in self._everything.items() if v.table == table})
            else:
                self._before[table] = self._violations(table)

    def new_violations(self) -> list[Violation]:
        """Return what is violated now and was not before the step; reads only tables that were concerned."""
        self._keys = None
        if self._unseen or not self._saw_all():
            now = self._violations(None)
            return sorted(now, key=str)
        found: list[Violation] = []
        if self._everything is not None:
            found += (self._violations(None) - self._everything).keys()
        elif self._before:
            present = {key.child for key in self.keys}
            for table in sorted(self._before.keys() & present):
                found += (self._violations(table) - self._before[table]).keys()
        return found

    def _about_to(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self._asking or self.quiet or statement in self._harmless:
            return
        self._unseen |= not self._saw_all()
        does = read(statement)
        if does.verb == "SELECT":
            return
        self._tell(does)
        if not does.known and self._everything is None:
            self._everything = self._violations(None)
        concerned = self._concerned(does)
        if concerned:
            self.concern(concerned)
        elif does.verb not in ("CREATE", "DROP", "ALTER"):
            self._harmless.add(statement)
        if does.kind == "RENAME":
            self._rename(does)
        if does.verb in ("CREATE", "DROP", "ALTER"):
            self._keys = None
            self._harmless.clear()

    def _done(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if not self._asking:
            # SQLite counts what a RETURNING changes only when its rows have been fetched.
            self._changes = None if "RETURNING" in statement.upper() else self._total()

    def _saw_all(self) -> bool:
        """Return whether every change came by here; one that did not was made on the driver's own connection."""
        return self._changes is None or self._changes == self._total()

    def _total(self) -> int:
        return int(getattr(self._driver, "total_changes", 0))

    def _concerned(self, does: Statement) -> set[str]:
        """Return the tables whose keys the statement could break; looked up before it runs, while all is still there."""
        name = does.name.casefold()
        if does.verb in ("INSERT", "REPLACE", "UPDATE", "DELETE"):
            return self._written(does, name)
        if (does.verb, does.kind) == ("DROP", "TABLE"):
            return self.children(name) | ({name} & {key.child for key in self.keys})
        if (does.verb, does.kind) == ("DROP", "INDEX"):
            rows = self._ask(
                "SELECT tbl_name FROM main.sqlite_master WHERE type = 'index' AND name = ? COLLATE NOCASE", does.name
            )
            return {child for row in rows for child in self.children(row[0])}
        if does.kind == "RENAME":
            if does.columns is not None:
                return set()
            # References follow a rename, except in the legacy way; those to the new name get a parent that they did not have.
            legacy = self._ask("PRAGMA legacy_alter_table")[0][0]
            return self.children(does.renamed) | (self.children(name) if legacy else set())
        return {name} if does.refers else set()

    def _rename(self, does: Statement) -> None:
        """Know old violations again under the new name of their table, parent or column."""
        old, new = does.name.casefold(), does.renamed.casefold()
        before, self._before = self._before, {}
        for table, violations in before.items():
            found: Counter[Violation] = Counter()
            for violation, times in violations.items():
                if does.columns is None:
                    same = violation._replace(
                        table=new if violation.table == old else violation.table,
                        parent=new if violation.parent == old else violation.parent,
                    )
                elif violation.table == old:
                    same = violation._replace(columns=tuple(new if c in does.columns else c for c in violation.columns))
                else:
                    same = violation
                found[same] += times
            name = new if does.columns is None and table == old else table
            self._before[name] = self._before.get(name, Counter()) | found

    def _written(self, does: Statement, name: str) -> set[str]:
        named = {name}
        triggers = self._ask("SELECT tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger'")
        texts = {table.casefold(): names_in(cut(sql)) for table, sql in triggers}
        for _ in texts:  # a trigger may fire another
            named |= {word for table in named & texts.keys() for word in texts[table]}
        concerned: set[str] = set()
        for key in self.keys:
            fired = named - {name}
            as_child = key.child in fired or (
                key.child == name and does.verb != "DELETE" and _touches(does, key.columns)
            )
            as_parent = key.parent in fired or (
                key.parent == name and (does.verb != "INSERT" or does.replaces) and _touches(does, key.to)
            )
            if as_child or as_parent:
                concerned.add(key.child)
        return concerned

    def _violations(self, table: str | None) -> Counter[Violation]:
        target = "" if table is None else f"({quoted(table)})"
        try:
            rows = self._ask(f"PRAGMA main.foreign_key_check{target}")
        except OperationalError as error:  # the parent has no unique key where one is needed
            return Counter([Violation(table or "a table", None, str(error.orig), ())])
        found: Counter[Violation] = Counter()
        columns: dict[tuple[str, int], list[str]] = {}
        steady: dict[str, bool] = {}
        for child in {row[0] for row in rows}:
            steady[child] = self._has_steady_rowids(child)
            for number, _, _, column, *_ in self._ask(f"PRAGMA main.foreign_key_list({quoted(child)})"):
                columns.setdefault((child, number), []).append(column)
        for child, rowid, parent, number in rows:
            names, values = tuple(column.casefold() for column in columns[child, number]), ""
            if rowid is not None and not steady[child]:
                what = " || ', ' || ".join(f"quote({quoted(column)})" for column in columns[child, number])
                values = self._ask(f"SELECT {what} FROM main.{quoted(child)} WHERE rowid = {rowid}")[0][0]
            found[Violation(child.casefold(), rowid if steady[child] else None, parent.casefold(), names, values)] += 1
        return found

    def _primary_key(self, table: str) -> frozenset[str]:
        return frozenset(row[1].casefold() for row in self._ask(f"PRAGMA main.table_info({quoted(table)})") if row[5])

    def _has_steady_rowids(self, table: str) -> bool:
        """A rebuild gives new rowids to a table where none of the columns is the rowid."""
        keys = [row for row in self._ask(f"PRAGMA main.table_info({quoted(table)})") if row[5]]
        own_index = any(row[3] == "pk" for row in self._ask(f"PRAGMA main.index_list({quoted(table)})"))
        return len(keys) == 1 and keys[0][2].upper() == "INTEGER" and not own_index

    def _ask(self, question: str, *values: str) -> list[Any]:
        self._asking = True
        try:
            return list(self._connection.exec_driver_sql(question, values).all())
        finally:
            self._asking = False


def _touches(does: Statement, columns: frozenset[str]) -> bool:
    """Return whether an UPDATE may set one of the columns; other verbs concern the whole row."""
    return does.verb != "UPDATE" or does.columns is None or not columns or bool(does.columns & (columns | _ROWID))
