"""The server's limits that end a session, which of them are in force, and whether one of them is why the session is gone.

psycopg2 does not hand on what the server says when it ends a session, so the time is measured here.
https://www.postgresql.org/docs/current/runtime-config-client.html
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.settings import Settings

_IDLE, _TRANSACTION = "idle_in_transaction_session_timeout", "transaction_timeout"
_OWN = "SELECT name, setting FROM pg_settings WHERE name IN (:idle, :transaction)"  # in milliseconds, 0 for no limit
_LEAST_OUTSIDE = (
    60.0  # seconds that a session may be idle outside of a transaction, where it holds nothing but the run's lock
)
_ENDED = ("25P03", "25P04", "57P05")  # idle in a transaction, transaction too long, idle outside of one


class SessionLimits:
    """How long the session may ask nothing, and how long its transaction may last."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        """Hold the connection; `read` asks for the role's own limits."""
        self._connection = connection
        self._settings = settings
        self._own_idle = self._transaction = self._limit = self._idle = 0.0
        self._source = "idle_limit"
        self._began = self._heard = time.monotonic()

    def read(self) -> None:
        """Read what the server says for this role. In the open transaction."""
        found = self._connection.execute(sa.text(_OWN), {"idle": _IDLE, "transaction": _TRANSACTION}).all()
        own = {name: int(setting) / 1000 for name, setting in found}
        self._own_idle, self._transaction = own.get(_IDLE, 0.0), own.get(_TRANSACTION, 0.0)

    def begin(self, said: float | None) -> tuple[str, dict[str, str]]:
        """Return more of a SELECT and its values, for a transaction that begins now; `said` are the seconds that the revision asks for.

        The role's own limit counts if it is shorter than the setting, and a revision that says how long it needs counts before both.
        """
        shorter = 0 < self._own_idle < self._settings.idle_limit
        self._source = "its own idle_limit" if said is not None else _IDLE if shorter else "idle_limit"
        self._limit = said or (self._own_idle if shorter else self._settings.idle_limit)
        self._began = self._heard = time.monotonic()
        sql, values = f", set_config('{_IDLE}', :idle, true)", {"idle": _milliseconds(self._limit)}
        if (self._connection.dialect.server_version_info or ()) >= (14,):
            sql += ", set_config('idle_session_timeout', :outside, false)"
            values["outside"] = _milliseconds(max(self._limit, _LEAST_OUTSIDE))
        return sql, values

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure in the block how long the session is idle before each statement."""
        listeners = (("before_cursor_execute", self._ask), ("after_cursor_execute", self._hear))
        for name, listener in listeners:
            sa.event.listen(self._connection, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners:
                sa.event.remove(self._connection, name, listener)

    def _ask(self, *_: object) -> None:
        self._idle = time.monotonic() - self._heard

    def _hear(self, *_: object) -> None:
        self._heard = time.monotonic()

    def reason(self, raised: BaseException) -> MigratorError | None:
        """Return the error of a session that was ended by one of these limits, None for any other end. Sends nothing."""
        if not isinstance(raised, DBAPIError) or not self._connection.invalidated:
            return None
        state = getattr(raised.orig, "sqlstate", None)
        if state is not None and state not in _ENDED:
            return None
        if state != "25P04" and self._idle >= self._limit:
            return error("step-idle", idle=self._idle, limit=self._limit, source=self._source)
        lasted = time.monotonic() - self._began
        if state in (None, "25P04") and 0 < self._transaction <= lasted:
            return error("step-transaction-timeout", lasted=lasted, limit=self._transaction)
        return None


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
