"""What a run waits for, looked up from a second connection while the run's own thread cannot: it is in the driver.

A step that waits for long says whom for. One that waits for itself, on a second connection that needs what the step has locked, would wait
for ever: no server sees a deadlock there, because the half of it is in the client.
"""

import logging
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.pool import NullPool

from migrator.dialects.other_connections import OtherConnections
from migrator.dialects.postgresql import sessions
from migrator.dialects.postgresql.url import synchronous

_log = logging.getLogger("migrator")
_PAUSE = 1.0  # seconds before the first look, and between two
_REPEAT = 10.0  # seconds of waiting before it is told, and between two log lines
_NAME = "migrator watch"
_OWN = """
    SELECT state, query_start, left(query, 200) AS query, coalesce(wait_event_type = 'Lock', false) AS waits,
           coalesce(state LIKE 'idle in transaction%' AND clock_timestamp() - state_change > interval '1 s', false) AS idle
    FROM pg_stat_activity WHERE pid = :pid
"""
_BEHIND = """
    SELECT pid, pg_blocking_pids(pid) AS by, left(query, 200) AS query, client_port
    FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


class Watch:
    """Looks each second, in a thread of its own, as soon as a run has lasted for a second."""

    def __init__(
        self, connection: Connection, process: int, others: OtherConnections, cancel: Callable[[], None]
    ) -> None:
        """Hold the run's connection, its server process, and what cancels its statement; opens nothing."""
        self.waits_for_itself: str | None = None
        """The statement that waited for its own step, or for which it waited."""
        self._connection = connection
        self._process = process
        self._others = others
        self._cancel = cancel
        self._thread = threading.current_thread()
        self._over = threading.Event()
        self._wait: tuple[object, float] | None = None
        self._said = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look in the block."""
        thread = threading.Thread(target=self._look_on, name=_NAME, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _look_on(self) -> None:
        if self._over.wait(_PAUSE):
            return
        try:
            with self._second_connection() as other:
                while True:
                    self._look(other)
                    if self._over.wait(_PAUSE):
                        return
        except Exception as trouble:  # no connection, or no driver for this thread: the run itself goes on
            _log.info("What the run waits for could not be looked up: %s", trouble)

    @contextmanager
    def _second_connection(self) -> Iterator[Connection]:
        engine = self._connection.engine
        with ExitStack() as closing:
            if engine.dialect.is_async:  # an event loop serves one thread
                own = sa.create_engine(synchronous(engine.url), poolclass=NullPool)
            else:  # one without the application's listeners, which may not expect this thread
                own = sa.create_engine(engine.url, pool=engine.pool.recreate())
            closing.callback(own.dispose)
            other = closing.enter_context(own.connect())
            other = other.execution_options(isolation_level="AUTOCOMMIT")
            other.exec_driver_sql(f"SET application_name = '{_NAME}'")
            yield other

    def _look(self, other: Connection) -> None:
        own = other.execute(sa.text(_OWN), {"pid": self._process}).one_or_none()
        if own is None:
            return
        if own.waits:
            self._waits(other, own)
        else:
            self._wait = None
        if self._others.running is not None or own.idle:
            self._wait_behind(other)

    def _waits(self, other: Connection, own: sa.Row[Any]) -> None:
        """The step's own statement waits for a lock: say whom for, or cancel it if that is a connection of the revision's own."""
        found = sessions.blockers_now(other, self._process)
        if any(blocker.process in self._others.processes for blocker in found):
            self.waits_for_itself = own.query
            self._cancel()
            return
        now = time.monotonic()
        if self._wait is None or self._wait[0] != own.query_start:
            self._wait, self._said = (own.query_start, now), now
        elif found and now - self._said >= _REPEAT:
            names = "; ".join(map(str, found))
            _log.warning(
                "Waiting for %d s: %s. The statement: %s", now - self._wait[1], names, " ".join(own.query.split())
            )
            self._said = now

    def _wait_behind(self, other: Connection) -> None:
        """Cancel a statement of the revision's own that waits behind the step, on whatever connection."""
        running = self._others.running
        rows = {row.pid: row for row in other.execute(sa.text(_BEHIND))}
        behind = _behind(self._process, {pid: row.by for pid, row in rows.items()})
        if running is not None:
            mine = behind & self._others.processes
        elif behind and self._is_only_thread:
            ports = set(_own_ports())
            mine = {pid for pid in behind if rows[pid].client_port in ports}
        else:
            return
        for pid in mine:
            self.waits_for_itself = rows[pid].query
            if running is not None and hasattr(
                running.driver, "cancel"
            ):  # also where the role may not cancel another one's
                running.driver.cancel()
            else:
                other.execute(sa.text("SELECT pg_cancel_backend(:pid)"), {"pid": pid})

    @property
    def _is_only_thread(self) -> bool:
        """Whether nobody but the run can be using the connections of this process."""
        return all(thread is self._thread or thread.name.startswith("migrator ") for thread in threading.enumerate())


def _behind(process: int, blocked: dict[int, Iterable[int]]) -> set[int]:
    """Return who waits for a process, and who waits for those."""
    found: set[int] = set()
    ahead = [process]
    while ahead:
        one = ahead.pop()
        new = {pid for pid, by in blocked.items() if one in by} - found
        found |= new
        ahead += new
    return found


def _own_ports() -> Iterator[int]:
    """Yield the ports of this process's own ends of TCP connections. Looks through its open files, where the system lists them."""
    folder = Path("/dev/fd")
    for file in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):  # closed meanwhile
            if stat.S_ISSOCK(os.fstat(int(file.name)).st_mode):
                with socket.socket(fileno=os.dup(int(file.name))) as copy:
                    if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM:
                        yield copy.getsockname()[1]
