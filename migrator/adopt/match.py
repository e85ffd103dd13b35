"""Which revision a database is at, told by its schema alone."""

import re
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.engine import Connection

from migrator.adopt.other_runners import TABLES
from migrator.dialects.schema_object import Column, SchemaObject
from migrator.errors import error
from migrator.results.adoption import Adoption, Difference, Match, Verdict
from migrator.schema.compare import compare
from migrator.schema.replay import Replay
from migrator.schema.snapshot import Snapshot, snapshot, tables_in

_SHOWN = 3  # matches
_TABLES_NAMED = 10
_NULL = re.compile(r"[\s(]*NULL\b", re.IGNORECASE)
_KEY = re.compile(r"\((.+?)\) REFERENCES ")


def look(connection: Connection, replay: Replay) -> Verdict:
    """Compare the connected database with every revision. Reads only."""
    schemas = replay.schemas  # first, so that no transaction of the connected database is open meanwhile
    if schemas.keys() == {"base"}:
        raise error("adopt-no-revisions", path=replay.script.dir)
    return judge(found(connection, replay), schemas, not_compared=replay.dialect.not_compared)


def judge(there: Snapshot, schemas: Mapping[str, Snapshot], *, not_compared: tuple[str, ...] = ()) -> Verdict:
    """Compare a schema with every revision's, the nearest first.

    The nearest loses none of the tables and columns that are there, then it is the one with the least work. Of revisions that are equally
    near the earliest comes first: a revision that changes rows only leaves no trace in the schema, and it is better to run it again than
    to leave it out.
    """
    history = History(schemas)
    revisions = {revision: schema for revision, schema in schemas.items() if revision != "base"}
    matches = [history.match(there, revision) for revision in revisions]
    matches.sort(key=lambda match: match.distance)  # stable: earlier revisions first
    alike = tuple(r for r, s in revisions.items() if r != matches[0].revision and s == revisions[matches[0].revision])
    tables = tables_in(there)
    extra = tuple(sorted(tables - history.names))
    return Verdict(tuple(matches[:_SHOWN]), alike, extra, len(history.names & tables), not_compared)


class History:
    """What the revisions make, so that what none of them makes can be told from what another one does."""

    def __init__(self, schemas: Mapping[str, Snapshot]) -> None:
        """Hold the schema at each revision."""
        self._schemas = schemas
        made = {id(it): (name, it) for schema in schemas.values() for name, it in schema.items()}.values()
        self.names = frozenset(name for name, _ in made)
        self._columns = {(name, column.name) for name, it in made for column in it.columns}
        rules = [(name, rule) for name, it in made for rule in it.rules]
        self._index_names = {rule.name for _, rule in rules if rule.kind == "index"}
        self._indexes = {(name, rule.meaning) for name, rule in rules if rule.kind == "index"}

    def match(self, there: Snapshot, revision: str) -> Match:
        """Return what separates a schema from a revision's. What no revision makes, and none has to know, is extra."""
        found = compare(there, self._schemas[revision], known=self.names)
        extra = {each: words for each in found if (words := self._extra(each, there))}
        left = tuple(replace(each, text=words) for each, words in extra.items())
        return Match(revision, tuple(each for each in found if each not in extra), left)

    def _extra(self, it: Difference, there: Snapshot) -> str | None:
        """Return in words what may stay where it is: every statement of the history does there what it does elsewhere."""
        if it.wanted is not None or it.found is None:
            return None
        free = self._free_columns(there[it.table], there)
        if it.kind == "foreign key" and (key := _KEY.match(it.found)):
            # One that deletes rows would make more of a DELETE than the history means.
            if {name.strip('"') for name in key[1].split(", ")} <= free and "ON DELETE CASCADE" not in it.found:
                return f"the foreign key of {it.table}.{key[1]}"
            return None
        if it.object is None:
            return None
        if it.kind == "column" and it.object in free:
            return f"the column {it.table}.{it.object}"
        if it.kind == "index" and not it.found.startswith("unique "):
            known = it.object in self._index_names or (it.table, it.found) in self._indexes
            return None if known else f"the index {it.object} on {it.table}"
        return None

    def _free_columns(self, table: SchemaObject, there: Snapshot) -> set[str]:
        """Return the columns of no revision that an INSERT need not name."""
        found = {c.name for c in table.columns if _is_free(c, there)}
        return {name for name in found if (table.name, name) not in self._columns}


def _is_free(column: Column, there: Snapshot) -> bool:
    """Return whether a row may leave the column out."""
    if column.extra.startswith("GENERATED"):
        return True
    if column.default is not None and not _NULL.match(column.default):
        return True
    domain = there.get(f"type {column.type}")
    says = "" if domain is None else domain.definition
    return " DEFAULT " in says or (column.nullable and "NULL" not in says)


def found(connection: Connection, replay: Replay) -> Snapshot:
    """Return the connected database's schema, without the tables of this tool and of other runners. Reads only.

    A table that the history makes is the history's, whatever its name is.
    """
    return snapshot(connection, replay.dialect, ignore=replay.tools_tables | (TABLES - replay.known_tables))


def check(adoption: Adoption, *, accept_harmless: bool) -> None:
    """Raise unless the database is at one revision for certain: HistoryError where none of the tables is there, else StampRefused."""
    verdict = adoption.verdict
    if not verdict.tables:
        tables = (*(each.table for each in adoption.runners), *verdict.extra)
        if not tables:
            raise error("adopt-empty")
        raise error("adopt-foreign", tables=tables[:_TABLES_NAMED], adoption=adoption)
    best = verdict.best
    if best.exact or (accept_harmless and best.harmless):
        return
    code = "adopt-harmless" if best.harmless else "adopt-no-match"
    raise error(code, nearest=verdict.matches, best=best.revision, differences=best.differences, adoption=adoption)
