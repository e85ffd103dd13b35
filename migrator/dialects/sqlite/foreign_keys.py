"""Foreign keys on SQLite: which statements could have broken one, and which rows a step left without their parent.

Foreign keys are off during a step, so that a rebuild cannot cascade. SQLite then checks nothing, and this module does.
`PRAGMA foreign_key_check` reads every row of a table, so it runs only on tables that a statement really concerned: before the first
such statement, and before the commit. Rows that were broken before the step do not count.
"""

from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy.exc import OperationalError

from migrator.dialects.sqlite.catalog import sql_texts
from migrator.dialects.sqlite.sql.statement import Statement
from migrator.dialects.sqlite.sql.tokens import cut, names_in, quoted
from migrator.dialects.sqlite.statements_seen import StatementsSeen

_ROWID = frozenset(("rowid", "oid", "_rowid_"))
_ALL_KEYS = (
    'SELECT m.name, f.id, f."table", f."from", f."to" FROM main.sqlite_master m, pragma_foreign_key_list(m.name) f '
    "WHERE m.type = 'table'"
)


class Key(NamedTuple):
    """A foreign key: column by column, `child` refers to `parent`. Names are case-folded."""

    child: str
    parent: str
    columns: frozenset[str]
    to: frozenset[str]


class Violation(NamedTuple):
    """A row without its parent, known by its rowid if a rebuild keeps that, else by its values. `str()` says it in a line."""

    table: str
    rowid: int | None
    parent: str
    """The parent table; without `columns`, what SQLite says is wrong with the table's keys."""
    columns: tuple[str, ...]
    values: str = ""

    def __str__(self) -> str:
        if not self.columns:
            return f"{self.table}: {self.parent}"
        row = f" row {self.rowid}" if self.rowid is not None else ""
        value = f" = {self.values}" if self.values else ""
        return f"{self.table}{row}: ({', '.join(self.columns)}){value} has no row in {self.parent}"


class ForeignKeys:
    """The keys of the main database during a run. What it knows of violations is about one step; `forget()` begins the next."""

    def __init__(self, seen: StatementsSeen) -> None:
        self._seen = seen
        self.forget()

    def forget(self) -> None:
        """Begin a step: nothing of an earlier one counts. Reads nothing."""
        self._seen.start_step()
        self._before: dict[str, Counter[Violation]] = {}
        self._everything: Counter[Violation] | None = None
        self._keys: list[Key] | None = None

    def pause(self) -> None:
        """Ignore the statements until `resume()`; the caller says with `concern` what they may break."""
        self._seen.pause()

    def resume(self) -> None:
        """Look at statements again, after some that may have changed every table."""
        self._seen.resume()
        self._keys = None

    @property
    def keys(self) -> list[Key]:
        """All foreign keys of the main database, as they are now."""
        if self._keys is None:
            rows: dict[tuple[str, int], list[Any]] = {}
            for child, number, parent, column, to in self._seen.ask(_ALL_KEYS):
                rows.setdefault((child, number), [child, parent]).append((column, to))
            self._keys = [
                Key(
                    child.casefold(),
                    parent.casefold(),
                    frozenset(column.casefold() for column, _ in pairs),
                    frozenset(to.casefold() for _, to in pairs if to) or self._primary_key(parent),
                )
                for child, parent, *pairs in rows.values()
            ]
        return self._keys

    def children(self, parent: str) -> set[str]:
        """Return the tables that refer to the table."""
        return {key.child for key in self.keys if key.parent == parent.casefold()}

    def concern(self, tables: set[str]) -> None:
        """Note that the next statements may break a key of these tables. Reads each of them once a step."""
        for table in {table.casefold() for table in tables} - self._before.keys():
            if self._everything is not None:
                self._before[table] = Counter({v: n for v, n in self._everything.items() if v.table == table})
            else:
                self._before[table] = self._violations(table)

    def new_violations(self) -> list[Violation]:
        """Return what is violated now and was not before the step. Reads only tables that were concerned."""
        self._keys = None
        if not self._seen.all_seen():
            return sorted(self._violations(None), key=repr)
        new: list[Violation] = []
        if self._everything is not None:
            new += (self._violations(None) - self._everything).keys()
        elif self._before:
            present = {key.child for key in self.keys}
            for table in sorted(self._before.keys() & present):
                new += (self._violations(table) - self._before[table]).keys()
        return new

    def on_statement(self, does: Statement) -> bool:
        """Note what a statement may break, before it runs. Return whether it, or the same text later, may break a key."""
        if not does.known and self._everything is None:
            self._everything = self._violations(None)
        concerned = self._concerned(does)
        if concerned:
            self.concern(concerned)
        if does.kind == "RENAME":
            self._rename(does)
        if does.verb in ("CREATE", "DROP", "ALTER"):
            self._keys = None
        return bool(concerned)

    def _concerned(self, does: Statement) -> set[str]:
        """Return the tables whose keys the statement could break. Asked before it runs, while everything is still there."""
        name = does.name.casefold()
        if does.verb in ("INSERT", "REPLACE", "UPDATE", "DELETE"):
            return self._written(does, name)
        if (does.verb, does.kind) == ("DROP", "TABLE"):
            return self.children(name) | ({name} & {key.child for key in self.keys})
        if (does.verb, does.kind) == ("DROP", "INDEX"):
            rows = self._seen.ask(
                "SELECT tbl_name FROM main.sqlite_master WHERE type = 'index' AND name = ? COLLATE NOCASE", does.name
            )
            return {child for row in rows for child in self.children(row[0])}
        if does.kind == "RENAME":
            if does.columns is not None:
                return set()
            # References follow a rename, except with the legacy PRAGMA. References to the new name get a parent that they did not have.
            legacy = self._seen.ask("PRAGMA legacy_alter_table")[0][0]
            return self.children(does.renamed) | (self.children(name) if legacy else set())
        return {name} if does.refers else set()

    def _rename(self, does: Statement) -> None:
        """Recognize old violations under the new name of their table, parent or column."""
        old, new = does.name.casefold(), does.renamed.casefold()
        before, self._before = self._before, {}
        for table, violations in before.items():
            renamed: Counter[Violation] = Counter()
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
                renamed[same] += times
            name = new if does.columns is None and table == old else table
            self._before[name] = self._before.get(name, Counter()) | renamed

    def _written(self, does: Statement, name: str) -> set[str]:
        """Return the tables whose keys a statement that writes rows of table `name` could break, by triggers too."""
        named = {name}
        triggers = self._seen.ask("SELECT tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger'")
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
            rows = self._seen.ask(f"PRAGMA main.foreign_key_check{target}")
        except OperationalError as error:  # the parent has no unique key where one is needed
            return Counter([Violation(table or "a table", None, str(error.orig), ())])
        violations: Counter[Violation] = Counter()
        columns: dict[tuple[str, int], list[str]] = {}
        steady: dict[str, bool] = {}
        for child in {row[0] for row in rows}:
            # A rebuild that is written out in SQL gives new rowids to a table where no column is the rowid.
            steady[child] = sql_texts.has_rowid_column(self._seen.ask, "main", child)
            for number, _, _, column, *_ in self._seen.ask(f"PRAGMA main.foreign_key_list({quoted(child)})"):
                columns.setdefault((child, number), []).append(column)
        for child, rowid, parent, number in rows:
            names, values = tuple(column.casefold() for column in columns[child, number]), ""
            if rowid is not None and not steady[child]:
                what = " || ', ' || ".join(f"quote({quoted(column)})" for column in columns[child, number])
                values = self._seen.ask(f"SELECT {what} FROM main.{quoted(child)} WHERE rowid = {rowid}")[0][0]
            row = Violation(child.casefold(), rowid if steady[child] else None, parent.casefold(), names, values)
            violations[row] += 1
        return violations

    def _primary_key(self, table: str) -> frozenset[str]:
        rows = self._seen.ask(f"PRAGMA main.table_info({quoted(table)})")
        return frozenset(row[1].casefold() for row in rows if row[5])


def _touches(does: Statement, columns: frozenset[str]) -> bool:
    """Return whether an UPDATE may set one of the columns; other verbs concern the whole row."""
    return does.verb != "UPDATE" or does.columns is None or not columns or bool(does.columns & (columns | _ROWID))
