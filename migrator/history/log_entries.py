"""The entries of the log, read: those of one history, which is one version table; several may share the log.

An entry that does not say whose it is, because an older release wrote it, is this history's own if no other version table is in the schema.
If there is one, it is nobody's, until a step with the same text takes it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Self

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from migrator import dialects
from migrator.dialects.dialect import Dialect
from migrator.errors import error
from migrator.history import log_query, log_table, signature
from migrator.history.log_rows import ENTRY, entry_of, ran_of
from migrator.results import Entry, Ran
from migrator.settings import Settings

_OWN, _UNCLAIMED = "version_table = :own", "version_table IS NULL"
_ALL, _NONE = "1 = 1", "1 = 0"
_AT_ONCE = 500  # revisions that one statement asks for


class _View(NamedTuple):
    """How the log is read now: its columns, and the condition for this history's entries."""

    columns: frozenset[str]
    own: str
    cautious: str
    """The condition for what protects: it counts also what may be another history's."""


@dataclass
class Entries:
    """What the log tells of one history. With `log` switched off it tells nothing.

    No question reads more than what it asks for, however many entries there are. Each raises DatabaseError where the table is another
    program's ("log-table-foreign"), or has a value that the engine never writes ("log-unreadable").
    """

    dialect: Dialect
    schema: str | None
    version_table: str
    settings: Settings
    may_have_begun: bool = True
    """Cleared when a `begun` entry was looked for and there is none, so that no step looks for one to delete."""
    _recognised: tuple[int, ...] = field(default=(), init=False)

    @classmethod
    def of(cls, migration: MigrationContext, settings: Settings) -> Self:
        """Return the log of the history that this context is about; a new one is next to the version table. Reads only.

        Its schema is known from here on, whatever a revision makes of the search_path.
        """
        connection, schema = migration.connection, migration.version_table_schema
        assert connection is not None
        dialect = dialects.of(connection)
        if schema is None and settings.log:
            schema = dialect.home(connection, (settings.log_table, migration.version_table))
        return cls(dialect, schema, migration.version_table, settings)

    @cached_property
    def table(self) -> sa.Table:
        """The table, as this kind of database has it."""
        return log_table.table_of(self.dialect, self.settings.log_table, self.schema)

    def read(self, connection: Connection, *, limit: int | None = None) -> tuple[Entry, ...]:
        """Return the newest entries, newest first; none where there is no table. Reads only."""
        view = self._view(connection)
        if view is None:
            return ()
        newest = "ORDER BY id DESC" if limit is None else "ORDER BY id DESC LIMIT :limit"
        return self._entries(connection, view, f"{view.own} {newest}", limit=limit)

    def last_run(self, connection: Connection, revision: str) -> Entry | None:
        """Return the whole entry of a revision's last upgrade that was done, None if there is none. Reads only."""
        ran = self.last_runs(connection, (revision,)).get(revision)
        view = None if ran is None else self._view(connection)
        if ran is None or view is None:
            return None
        return next(iter(self._entries(connection, view, "id = :id", id=ran.id)), None)

    def last_runs(self, connection: Connection, revisions: Iterable[str]) -> dict[str, Ran]:
        """Return for each revision its last upgrade that was done, without the texts. Reads only."""
        view = self._view(connection)
        return {} if view is None else self._newest(connection, view, view.own, revisions, "upgrade")

    def stamped(self, connection: Connection, revisions: Iterable[str]) -> frozenset[str]:
        """Return those of the revisions that were stamped, also those that another history may have stamped. Reads only."""
        view = self._view(connection)
        return frozenset(() if view is None else self._newest(connection, view, view.cautious, revisions, "stamp"))

    def begun(self, connection: Connection, texts: Mapping[str, str] | None = None) -> Entry | None:
        """Return the newest entry of a step that has committed a part of itself and not finished; None if there is none. Reads only.

        It is running now, or was interrupted. A run gives the `texts` of its files: it may not go on while it is unknown whose entry that
        is, DatabaseError "log-entry-unclaimed".
        """
        view = self._view(connection)
        found: tuple[Entry, ...] = ()
        if view is not None:
            found = self._entries(connection, view, f"{view.cautious} AND outcome = 'begun'")
        # Sorted here: asked for an order, SQLite takes the index that has it, and reads all entries.
        found = tuple(sorted(found, key=lambda entry: entry.id, reverse=True))
        mine = [entry for entry in found if self._is_mine(connection, entry, texts)]
        self.may_have_begun = bool(mine)
        self._recognised = tuple(entry.id for entry in mine)
        return next((entry for entry in mine if entry.statements), None)

    def is_signed(self, entry: Entry) -> bool:
        """Return whether the text of an entry is what this history ran: always true where no key is set."""
        key = self.settings.log_key
        step = {"version_table": self.version_table, "revision": entry.revision, "direction": entry.direction}
        return key is None or signature.is_signed(entry.signature, key, text=entry.source or "", **step)

    def _view(self, connection: Connection) -> _View | None:
        there = log_table.columns_there(connection, self.table) if self.settings.log else frozenset()
        if not there:
            return None
        if "version_table" not in there:
            return _View(there, _ALL if self._is_alone(connection) else _NONE, _ALL)
        if not self._has_unclaimed(connection):
            return _View(there, _OWN, _OWN)
        cautious = f"({_OWN} OR {_UNCLAIMED})"
        return _View(there, cautious if self._is_alone(connection) else _OWN, cautious)

    def _newest(
        self, connection: Connection, view: _View, own: str, revisions: Iterable[str], direction: str
    ) -> dict[str, Ran]:
        wanted, log = list(dict.fromkeys(revisions)), log_table.name_of(connection, self.table)
        found: list[dict[str, Any]] = []
        if "version_table" not in view.columns:
            if own == _ALL:
                sql = log_query.newest_unindexed(log, direction=direction)
                found += self._rows(connection, sql)
        else:
            for start in range(0, len(wanted), _AT_ONCE):
                values = {f"r{number}": each for number, each in enumerate(wanted[start : start + _AT_ONCE])}
                sql = log_query.newest(log, own, [f":{name}" for name in values], direction=direction)
                found += self._rows(connection, sql, **values)
        known, name = set(wanted), self.table.fullname
        return {row["revision"]: ran_of(row, name) for row in found if row["revision"] in known}

    def _entries(self, connection: Connection, view: _View, where: str, **values: Any) -> tuple[Entry, ...]:
        log = log_table.name_of(connection, self.table)
        columns = ", ".join(name for name in ENTRY if name in view.columns)
        rows = self._rows(connection, f"SELECT {columns} FROM {log} WHERE {where}", **values)
        return tuple(entry_of(row, self.table.fullname) for row in rows)

    def _rows(self, connection: Connection, sql: str, **values: Any) -> list[dict[str, Any]]:
        asked = sa.text(sql)
        if ":own" in sql:
            values["own"] = self.version_table
        given = {name: value for name, value in values.items() if value is not None}
        return [dict(row) for row in connection.execute(asked, given).mappings()]

    def _is_mine(self, connection: Connection, entry: Entry, texts: Mapping[str, str] | None) -> bool:
        if entry.version_table is not None or self._is_alone(connection):
            return True
        if texts is not None and (entry.source is None or texts.get(entry.revision) != entry.source):
            raise error(
                "log-entry-unclaimed",
                log=self.table.fullname,
                id=entry.id,
                revision=entry.revision,
                direction=entry.direction,
                when=entry.when,
                who=entry.who,
                committed=tuple(entry.statements or ()),
            )
        return texts is not None

    def _is_alone(self, connection: Connection) -> bool:
        return not self.dialect.version_tables(connection, self.schema) - {self.version_table}

    def _has_unclaimed(self, connection: Connection) -> bool:
        log = log_table.name_of(connection, self.table)
        return bool(self._rows(connection, f"SELECT 1 AS one FROM {log} WHERE {_UNCLAIMED} LIMIT 1"))
