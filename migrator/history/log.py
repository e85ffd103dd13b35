"""`migration_log`: what really ran, when, by whom, and the text that ran.

A step's row is written in the step's own transaction: the log cannot say that something happened which did not. A failure is written on
another connection after the rollback. What an `autocommit_block()` commits before its step is done is written as it happens, with outcome
`begun`; the step's own row replaces that one, so that a later run only finds it when this one was killed in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from migrator.history import file_text, log_table, signature
from migrator.history.log_entries import Entries
from migrator.history.log_rows import IMPORTED
from migrator.history.origin import origin
from migrator.results import Planned
from migrator.results.adoption import ImportedMigration


@dataclass
class Log(Entries):
    """The log of one history, read and written. The table is created, or completed, by the first step that writes to it."""

    is_there: bool = False
    """Set when a step that wrote to it was committed, so that the table is not looked for again."""
    _shared: bool = field(default=False, init=False)

    def write(
        self,
        connection: Connection,
        planned: Planned,
        outcome: str,
        started: datetime,
        *,
        text: str | None,
        user: str | None,
        error: str | None = None,
        statements: Sequence[str] | None = None,
    ) -> None:
        """Add one entry in the connection's own transaction, creating or completing the table first. `text` is the file's.

        It replaces a `begun` one of the same revision, and a stamp replaces them all; a failure leaves that one alone.
        """
        if not self.settings.log:
            return
        self._prepare(connection, planned.revision, text)
        columns, finished = self.table.c, datetime.now(UTC)
        if outcome != "failed" and self.may_have_begun:
            which = sa.true() if planned.direction == "stamp" else columns.revision == planned.revision
            mine = columns.version_table == self.version_table
            connection.execute(self.table.delete().where(columns.outcome == "begun", mine, which))
        entry = {
            "version_table": self.version_table,
            "revision": planned.revision,
            "description": planned.description,
            "direction": planned.direction,
            "outcome": outcome,
            "started_at": started,
            "finished_at": finished,
            "duration_ms": round((finished - started).total_seconds() * 1000),
            "database_user": user,
            "file": planned.path.name or None,
            "checksum": None if text is None else file_text.checksum(text),
            "signature": self._signature(planned, text) if outcome == "done" else None,
            "source": text,
            "error": error,
            "statements": None if statements is None else list(statements),
            **self._origin,
        }
        connection.execute(self.table.insert().values(entry))
        self.may_have_begun = self.may_have_begun or outcome == "begun"

    def write_imported(self, connection: Connection, rows: Sequence[ImportedMigration]) -> None:
        """Copy what other runners applied, once, in the connection's own transaction; where they do not say when, it is now."""
        if not self.settings.log or not rows:
            return
        self._prepare(connection)
        columns, now = self.table.c, datetime.now(UTC)
        mine = (columns.version_table == self.version_table, columns.direction.in_(IMPORTED))
        there = set(connection.execute(sa.select(columns.revision).where(*mine)).scalars())
        for row in rows:
            if row.name not in there:
                at = row.applied_at or now
                entry = {
                    "version_table": self.version_table,
                    "revision": row.name,
                    "description": f"applied by {row.runner} ({row.table}) {row.description}".strip(),
                    "direction": "imported",
                    "outcome": "done",
                    "started_at": at,
                    "finished_at": at,
                    "duration_ms": 0,
                }
                connection.execute(self.table.insert().values(entry))

    def _signature(self, planned: Planned, text: str | None) -> str | None:
        key = self.settings.log_key
        if key is None or text is None:
            return None
        step = {"version_table": self.version_table, "revision": planned.revision, "direction": planned.direction}
        return signature.sign(key, text=text, **step)

    def _prepare(self, connection: Connection, revision: str | None = None, text: str | None = None) -> None:
        """Create or complete the table, and claim the entries of an older release that are this history's own."""
        if not self.is_there:
            log_table.complete(connection, self.table)
        elif not self._shared:
            return
        if not self._has_unclaimed(connection):
            return
        columns = self.table.c
        claim = self.table.update().where(columns.version_table.is_(None)).values(version_table=self.version_table)
        self._shared = not self._is_alone(connection)
        if self._shared:
            checksum = sa.null() if text is None else file_text.checksum(text)
            same = sa.and_(columns.revision == revision, columns.checksum == checksum)
            claim = claim.where(same | columns.id.in_(self._recognised))
        connection.execute(claim)

    @cached_property
    def _origin(self) -> dict[str, Any]:
        return origin(self.settings.root)
