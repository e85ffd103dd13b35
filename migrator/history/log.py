"""`migration_log`: what really ran, when, by whom, and the text that ran.

A step's row is written in the step's own transaction: the log cannot say that something happened which did not. A failure is written on
another connection after the rollback. What an `autocommit_block()` commits before its step is done is written as it happens, with outcome
`begun`; the step's own row replaces that one, so that a later run only finds it when this one was killed in between.
"""

import getpass
import os
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import alembic
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from migrator import __version__, dialects
from migrator.dialects.dialect import Dialect
from migrator.history import file_text
from migrator.results import Entry, Planned
from migrator.results.adoption import ImportedMigration
from migrator.types import JSONDocument, UTCDateTime

LOG_TABLE = "migration_log"
_IMPORTED = ("imported", "earlier")  # how the log calls what other runners applied, now and in its first release


@dataclass
class Log:
    """The log of one database. `schema` is that of the version table; where `enabled` is false nothing is written or read."""

    dialect: Dialect
    schema: str | None
    root: Path
    enabled: bool = True
    is_there: bool = False
    """Set when a step that wrote to it was committed, so that the table is not looked for again."""
    may_have_begun: bool = True
    """Cleared when all entries were read and none is `begun`, so that no step looks for one to delete."""

    @cached_property
    def table(self) -> sa.Table:
        """The table, as this kind of database has it."""
        text = sa.Text()
        identity = dialects.part(self.dialect.name, "types").identity_type()
        return sa.Table(
            LOG_TABLE,
            sa.MetaData(),
            sa.Column("id", identity, sa.Identity(), nullable=False),
            sa.Column("revision", text, nullable=False),
            sa.Column("description", text, nullable=False),
            sa.Column("direction", sa.String(20), nullable=False),
            sa.Column("outcome", sa.String(20), nullable=False),
            sa.Column("started_at", UTCDateTime(), nullable=False),
            sa.Column("finished_at", UTCDateTime(), nullable=False),
            sa.Column("duration_ms", sa.Integer(), nullable=False),
            *(sa.Column(name, text) for name in ("database_user", "os_user", "host", "program", "git_commit")),
            sa.Column("file", text),
            sa.Column("checksum", sa.String(64)),
            sa.Column("source", text),
            sa.Column("error", text),
            sa.Column("statements", JSONDocument()),
            sa.PrimaryKeyConstraint("id", name=f"pk_{LOG_TABLE}"),
            schema=self.schema,
        )

    def read(
        self, connection: Connection, *, limit: int | None = None, outcome: str | None = None
    ) -> tuple[Entry, ...]:
        """Return the entries, or those of one outcome, newest first; none where there is no table. Reads only."""
        if not self.enabled or not sa.inspect(connection).has_table(LOG_TABLE, self.schema):
            self.may_have_begun = False
            return ()
        wanted = sa.select(self.table).order_by(self.table.c.id.desc()).limit(limit)
        if outcome is not None:
            wanted = wanted.where(self.table.c.outcome == outcome)
        found = tuple(_entry(row) for row in connection.execute(wanted).mappings())
        if limit is None and outcome in (None, "begun"):
            self.may_have_begun = any(entry.outcome == "begun" for entry in found)
        return found

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
        """Add one entry in the connection's own transaction, creating the table where it is missing. `text` is the file's.

        It replaces a `begun` one of the same revision, and a stamp replaces them all; a failure leaves that one alone.
        """
        if not self.enabled:
            return
        self._create_table(connection)
        columns, finished = self.table.c, datetime.now(UTC)
        if outcome != "failed" and self.may_have_begun:
            which = sa.true() if planned.direction == "stamp" else columns.revision == planned.revision
            connection.execute(self.table.delete().where(columns.outcome == "begun", which))
        entry = {
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
            "source": text,
            "error": error,
            "statements": None if statements is None else list(statements),
            **self._origin,
        }
        connection.execute(self.table.insert().values(entry))
        self.may_have_begun = self.may_have_begun or outcome == "begun"

    def write_imported(self, connection: Connection, rows: Sequence[ImportedMigration]) -> None:
        """Copy what other runners applied, once, in the connection's own transaction; where they do not say when, it is now."""
        if not self.enabled or not rows:
            return
        self._create_table(connection)
        columns = self.table.c
        there = set(connection.execute(sa.select(columns.revision).where(columns.direction.in_(_IMPORTED))).scalars())
        now = datetime.now(UTC)
        for row in rows:
            if row.name not in there:
                at = row.applied_at or now
                entry = {
                    "revision": row.name,
                    "description": f"applied by {row.runner} ({row.table}) {row.description}".strip(),
                    "direction": "imported",
                    "outcome": "done",
                    "started_at": at,
                    "finished_at": at,
                    "duration_ms": 0,
                }
                connection.execute(self.table.insert().values(entry))

    def _create_table(self, connection: Connection) -> None:
        if not self.is_there:
            self.table.create(connection, checkfirst=True)

    @cached_property
    def _origin(self) -> dict[str, Any]:
        return {
            "os_user": _user(),
            "host": socket.gethostname(),
            "program": f"migrator {__version__}, alembic {alembic.__version__}",
            "git_commit": _commit(self.root),
        }


def begun(entries: Sequence[Entry]) -> Entry | None:
    """Return the entry of a step that has committed a part of itself and not finished: it is running now, or was interrupted."""
    return next((entry for entry in entries if entry.outcome == "begun" and entry.statements), None)


def latest_runs(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Return for each revision the entry of its last upgrade that was done; `entries` are newest first."""
    ran: dict[str, Entry] = {}
    for entry in entries:
        if (entry.direction, entry.outcome) == ("upgrade", "done"):
            ran.setdefault(entry.revision, entry)
    return ran


def _entry(row: sa.RowMapping) -> Entry:
    direction = "imported" if row["direction"] in _IMPORTED else row["direction"]
    return Entry(**{**row, "direction": direction})


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return str(os.getuid())


def _commit(root: Path) -> str | None:
    ask = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):  # no git here
        return None
    return found.stdout.strip() if found.returncode == 0 else None
