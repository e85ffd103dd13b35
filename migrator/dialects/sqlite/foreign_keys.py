"""Foreign keys on SQLite: which statements could have broken one, and which rows a step left without their parent.

Foreign keys are off during a step, so that a rebuild cannot cascade. SQLite then checks nothing, and this module does.
`PRAGMA foreign_key_check` reads every row of a table, so it runs only on tables that a statement really concerned: before the first
such statement, and before the commit. Rows that were broken before the step do not count.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import dropwhile
from typing import Any, NamedTuple

from migrator.dialects.sqlite.sql.statement import Statement
from migrator.dialects.sqlite.sql.tokens import cut, folded, names_in, quoted
from migrator.dialects.sqlite.statements_seen import StatementsSeen
from migrator.dialects.sqlite.violations import Violation, violations

_ROWID = frozenset(("rowid", "oid", "_rowid_"))
_ALL_KEYS = (
    'SELECT m.name, f.id, f."table", f."from", f."to" FROM main.sqlite_master m, pragma_foreign_key_list(m.name, \'main\') f '
    "WHERE m.type = 'table'"
)
_GENERATED = (
    "SELECT m.name, x.name FROM main.sqlite_master m, pragma_table_xinfo(m.name, 'main') x "
    "WHERE m.type = 'table' AND m.sql LIKE '%AS%(%' AND m.sql NOT LIKE 'CREATE VIRTUAL%' AND x.hidden IN (2, 3)"
)
_TRIGGERS = (
    "SELECT tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger' "
    "UNION ALL SELECT tbl_name, sql FROM sqlite_temp_master WHERE type = 'trigger'"
)


class Key(NamedTuple):
    """A foreign key: column by column, `child` refers to `parent`. Names are folded.

    `columns` or `to` is empty if a change of any column may matter: one of them is generated from others.
    """

    child: str
    parent: str
    columns: frozenset[str]
    to: frozenset[str]

    def depends_on(self, table: str, changed: Iterable[str]) -> bool:
        """Return whether a change of these columns of the table may break the key."""
        changed = set(changed)
        return any(
            bool(changed) and table == name and (not columns or not columns.isdisjoint(changed))
            for name, columns in ((self.child, self.columns), (self.parent, self.to))
        )


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
            generated = (
                {(folded(table), folded(column)) for table, column in self._seen.ask(_GENERATED)} if rows else set()
            )

            def settled(table: str, columns: frozenset[str]) -> frozenset[str]:
                return frozenset() if any((table, column) in generated for column in columns) else columns

            self._keys = [
                Key(
                    folded(child),
                    folded(parent),
                    settled(folded(child), frozenset(folded(column) for column, _ in pairs)),
                    settled(
                        folded(parent), frozenset(folded(to) for _, to in pairs if to) or self._primary_key(parent)
                    ),
                )
                for child, parent, *pairs in rows.values()
            ]
        return self._keys

    def children(self, parent: str) -> set[str]:
        """Return the tables that refer to the table."""
        return {key.child for key in self.keys if key.parent == folded(parent)}

    def concern(self, tables: set[str]) -> None:
        """Note that the next statements may break a key of these tables. Reads each of them once a step."""
        for table in {folded(table) for table in tables} - self._before.keys():
            if self._everything is not None:
                self._before[table] = Counter({v: n for v, n in self._everything.items() if v.table == table})
            else:
                self._before[table] = violations(self._seen.ask, table)

    def new_violations(self) -> list[Violation]:
        """Return what is violated now and was not before the step. Reads only tables that were concerned."""
        self._keys = None
        if not self._seen.all_seen():
            return sorted(violations(self._seen.ask, None), key=repr)
        new: list[Violation] = []
        if self._everything is not None:
            new += (violations(self._seen.ask, None) - self._everything).keys()
        elif self._before:
            present = {key.child for key in self.keys}
            for table in sorted(self._before.keys() & present):
                new += (violations(self._seen.ask, table) - self._before[table]).keys()
        return new

    def on_statement(self, does: Statement) -> bool:
        """Note what a statement may break, before it runs. Return whether it, or the same text later, may break a key."""
        if not does.known and self._everything is None:
            self._everything = violations(self._seen.ask, None)
        concerned = self._concerned(does)
        if concerned:
            self.concern(concerned)
        if does.kind == "RENAME" and does.schema == "main":
            self._rename(does)
        if does.verb in ("CREATE", "DROP", "ALTER"):
            self._keys = None
        return bool(concerned)

    def _concerned(self, does: Statement) -> set[str]:
        """Return the tables whose keys the statement could break. Asked before it runs, while everything is still there."""
        name = folded(does.name)
        if does.verb in ("INSERT", "REPLACE", "UPDATE", "DELETE"):
            return self._written(does, name)
        if does.schema != "main":
            return set()
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
        old, new = folded(does.name), folded(does.renamed)
        before, self._before = self._before, {}
        for table, old_ones in before.items():
            renamed: Counter[Violation] = Counter()
            for violation, times in old_ones.items():
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
        fired, keys = self._fired(name), self.keys
        removes = does.verb in ("REPLACE", "DELETE") or does.replaces
        if not removes and any(key.parent == name for key in keys):
            removes = self._may_replace(name)
        concerned: set[str] = set()
        for key in keys:
            as_child = key.child in fired or (
                key.child == name and does.verb != "DELETE" and _touches(does, key.columns)
            )
            as_parent = key.parent in fired or (
                key.parent == name and (removes or (does.verb == "UPDATE" and _touches(does, key.to)))
            )
            if as_child or as_parent:
                concerned.add(key.child)
        return concerned

    def _fired(self, name: str) -> set[str]:
        """Return all that the triggers of the table name, and the triggers that these fire; also those of views and temporary ones."""
        named: dict[str, set[str]] = {}
        for table, sql in self._seen.ask(_TRIGGERS):
            body = dropwhile(lambda token: token.word != "BEGIN", cut(sql))
            named.setdefault(folded(table), set()).update(names_in(body))
        fired: set[str] = set()
        reached = {name}
        while reached:
            found = set().union(*(named.get(table, ()) for table in reached))
            reached, fired = found - fired, fired | found
        return fired

    def _may_replace(self, table: str) -> bool:
        """Return whether a constraint of the table says ON CONFLICT REPLACE, and so a plain INSERT or UPDATE may remove rows."""
        texts = self._seen.ask(
            "SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE", table
        )
        return any({"conflict", "replace"} <= names_in(cut(sql)) for (sql,) in texts)

    def _primary_key(self, table: str) -> frozenset[str]:
        rows = self._seen.ask(f"PRAGMA main.table_info({quoted(table)})")
        return frozenset(folded(row[1]) for row in rows if row[5])


def _touches(does: Statement, columns: frozenset[str]) -> bool:
    """Return whether an UPDATE may set one of the columns; other verbs concern the whole row."""
    return does.verb != "UPDATE" or does.columns is None or not columns or bool(does.columns & (columns | _ROWID))
