"""What the rebuilds of one step share: what was put back, what may no longer work, and what may be lost."""

from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.engine import Connection

from migrator.dialects.sqlite.foreign_keys import ForeignKeys
from migrator.dialects.sqlite.rebuild.dependents import Dependent, mentioning
from migrator.dialects.sqlite.rebuild.rows import Retyped
from migrator.dialects.sqlite.sql.tokens import same
from migrator.errors import error


class Doubtful(NamedTuple):
    """A view or trigger that may need a column that is gone."""

    dependent: Dependent
    errors_before: tuple[str | None, ...]
    """Why each of its uses did not compile while the column was there, None for one that did."""
    gone: tuple[str, ...]
    """The columns."""


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
    """Views and triggers that may need a column that is gone."""
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

    def give_way(self, connection: Connection, kind: str, name: str) -> None:
        """Drop the index or trigger of this name that a rebuild put back, if it is still there: the step creates one itself."""
        for dependent in [put for put in self.put_back if put.kind == kind and same(put.name, name)]:
            self.put_back.remove(dependent)
            if dependent.exists(connection):
                dependent.drop(connection)

    def doubt(self, connection: Connection, schema: str, table: str, gone: tuple[str, ...]) -> None:
        """Note the views and triggers that mention the table, which is about to lose the columns `gone`. Reads only."""
        if gone:
            self.doubtful += [
                Doubtful(dependent, dependent.compile_errors(connection), gone)
                for dependent in mentioning(connection, schema, table)
            ]

    def verify(self, connection: Connection) -> None:
        """Raise StepFailed "rebuild-loses" if a view or trigger that worked needs a column that is gone, or a rebuild in SQL left an
        index or trigger out. Drops those whose loss is accepted; else reads only.
        """
        lost = [dependent.label for dependent in self.replaced if not dependent.has_a_like(connection)]
        table = self.replaced[0].table if lost else ""
        for dependent, before, gone in self.doubtful:
            if not dependent.is_there(connection):
                continue  # the step has dropped it, or created another in its place
            now = dependent.compile_errors(connection)
            broken = any(after and not worked for after, worked in zip(now, before, strict=False))
            if (
                broken
                or dependent.misread_if_dropped(gone)
                or (dependent.kind == "trigger" and dependent.updates_of(gone))
            ):
                if dependent.label in self.accepted:
                    dependent.drop(connection)
                else:
                    lost.append(dependent.label)
        self.refuse(table or (self.doubtful[0].dependent.table if lost else ""), lost)
