"""What the rebuilds of one step share: what was put back, what may no longer work, and what may be lost."""

from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.engine import Connection

from migrator.dialects.sqlite.foreign_keys import ForeignKeys
from migrator.dialects.sqlite.rebuild.dependents import Dependent, mentioning, on_table, table_exists
from migrator.dialects.sqlite.rebuild.rows import Retyped
from migrator.dialects.sqlite.sql.tokens import folded, quoted, same
from migrator.errors import error


class Doubtful(NamedTuple):
    """A view or trigger that may no longer work: a column that it may need is gone, or is new, or its table is."""

    dependent: Dependent
    errors_before: tuple[str | None, ...]
    """Why each of its uses did not compile while the column was there, None for one that did."""
    schema: str
    table: str
    """The table that changes."""
    gone: tuple[str, ...]
    """The columns that it loses."""


class Moved(NamedTuple):
    """A table that the step has renamed."""

    name: str
    """The one that it had before the step."""
    dependents: list[Dependent]
    """Its indexes and triggers, as they were then."""


class LeftBehind(NamedTuple):
    """A table that the step has renamed, and then dropped: SQLite has written the new name into everything that named it."""

    name: str
    before: str
    """The name that it had before the step."""
    readers: list[Doubtful]
    """The views and triggers that named it at the end."""


@dataclass
class RebuildStep:
    """Made anew for each try of a step.

    `accepted` are the losses that the revision or the settings declare, in the words of "rebuild-loses"; `meant` those that the revision's
    own file declares: they go even where they could be kept.
    """

    keys: ForeignKeys
    accepted: frozenset[str] = frozenset()
    meant: frozenset[str] = frozenset()
    put_back: list[Dependent] = field(default_factory=list)
    """Indexes and triggers that a rebuild created again; they give way if the step creates them itself."""
    doubtful: list[Doubtful] = field(default_factory=list)
    """Views and triggers that may no longer work."""
    moved: dict[str, Moved] = field(default_factory=dict)
    """The tables that the step has renamed, by their new names."""
    left_behind: list[LeftBehind] = field(default_factory=list)
    """The tables that it has renamed and then dropped."""
    dropped: dict[str, list[Dependent]] = field(default_factory=dict)
    """What went with each table that the step dropped itself."""
    replaced: list[Dependent] = field(default_factory=list)
    """What went with a table in whose place the step has put another one."""

    def refuse(self, table: str, lost: list[str]) -> None:
        """Raise StepFailed "rebuild-loses" with the lines that declare the loss, unless all of it is accepted."""
        refused = tuple(text for text in dict.fromkeys(lost) if text not in self.accepted)
        if refused:
            texts = "".join(f"    {text!r},\n" for text in refused)
            raise error("rebuild-loses", table=table, lost=refused, accept=f"accept_loss = (\n{texts})")

    def refuse_unfit(self, table: str, unfit: list[Retyped], rows: int) -> None:
        """Raise StepFailed "values-unfit" with the lines that keep the values nevertheless, unless all of them are accepted."""
        refused = [one for one in unfit if one.accepted_by(table) not in self.accepted]
        if refused:
            texts = "".join(f"    {one.accepted_by(table)!r},\n" for one in refused)
            told = tuple(one.told(table, rows) for one in refused)
            accept = f"accept_loss = (\n{texts})"
            raise error("values-unfit", table=table, column=refused[0].column, unfit=told, accept=accept)

    def note_put_back(self, dependents: list[Dependent]) -> None:
        """Note what a rebuild created again, in the place of what an earlier rebuild did."""
        names = {(dependent.kind, dependent.name) for dependent in dependents}
        self.put_back = [old for old in self.put_back if (old.kind, old.name) not in names] + dependents

    def give_way(self, connection: Connection, kind: str, schema: str, name: str) -> None:
        """Drop the index or trigger of this name that a rebuild put back, if it is still there: the step creates one itself."""
        for dependent in [
            put for put in self.put_back if put.kind == kind and same(put.schema, schema) and same(put.name, name)
        ]:
            self.put_back.remove(dependent)
            if dependent.exists(connection):
                dependent.drop(connection)

    def doubt(self, connection: Connection, schema: str, table: str, gone: tuple[str, ...]) -> None:
        """Note the views and triggers that depend on the table, which is about to lose the columns `gone`, or to get one. Reads only."""
        self.doubtful += _doubts(connection, schema, table, gone)

    def renames(self, connection: Connection, old: str, new: str) -> None:
        """Note that the step is about to rename a table: it may put it in the place of another, or another in its place. Reads only."""
        self.replaced += self.dropped.pop(folded(new), [])
        moved = self.moved.pop(folded(old), None) or Moved(old, on_table(connection, "main", old))
        if not same(moved.name, new):
            self.moved[folded(new)] = moved

    def drops(self, connection: Connection, name: str) -> None:
        """Note that the step is about to drop a table, with all that is on it. Reads only."""
        there = on_table(connection, "main", name)
        moved = self.moved.pop(folded(name), None)
        if moved is None:
            self.dropped[folded(name)] = there
            return
        still = {(dependent.kind, folded(dependent.name)) for dependent in there}
        gone = [found for found in moved.dependents if (found.kind, folded(found.name)) in still]
        if table_exists(connection, "main", moved.name):
            self.replaced += gone
        else:
            self.dropped[folded(moved.name)] = gone
        self.left_behind.append(LeftBehind(name, moved.name, _doubts(connection, "main", name, ())))

    def verify(self, connection: Connection) -> None:
        """Raise StepFailed "rebuild-loses" if a view or trigger that worked needs a column that is gone, or a rebuild in SQL left an
        index or trigger out. Drops those whose loss is accepted; else reads only.
        """
        lost = [dependent.label for dependent in self.replaced if not dependent.has_a_like(connection)]
        table = self.replaced[0].table if lost else ""
        doubts = list(self.doubtful)
        for name, before, readers in self.left_behind:
            if table_exists(connection, "main", before) and not table_exists(connection, "main", name):
                lost += [f"{child}: its foreign key, which refers to {name} now" for child in self.keys.children(name)]
                table = table or before
                doubts += readers
        for doubtful in doubts:
            dependent = doubtful.dependent
            if not dependent.is_there(connection):
                continue  # the step has dropped it, or created another in its place
            if not self._works(connection, doubtful):
                if dependent.label in self.accepted:
                    dependent.drop(connection)
                else:
                    lost.append(dependent.label)
                    table = table or doubtful.table
        self.refuse(table, lost)

    @staticmethod
    def _works(connection: Connection, doubtful: Doubtful) -> bool:
        dependent, before, schema, table, lost = doubtful
        columns = connection.exec_driver_sql(f"PRAGMA {quoted(schema)}.table_xinfo({quoted(table)})").all()
        there = {folded(row[1]) for row in columns}
        gone = [column for column in lost if folded(column) not in there]
        now = dependent.compile_errors(connection)
        if any(after and not worked for after, worked in zip(now, before, strict=False)):
            return False
        fires_on = dependent.updates_of(gone) if dependent.kind == "trigger" and same(dependent.table, table) else None
        return not (dependent.misread_if_dropped(gone) or fires_on)


def _doubts(connection: Connection, schema: str, table: str, gone: tuple[str, ...]) -> list[Doubtful]:
    return [
        Doubtful(dependent, dependent.compile_errors(connection), schema, table, gone)
        for dependent in mentioning(connection, schema, table)
    ]
