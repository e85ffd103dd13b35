"""The transactions of one attempt that the engine knows, and what the server says became of them."""

from contextlib import nullcontext
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy.engine import Connection

from migrator.dialects.postgresql.lock import ask
from migrator.dialects.session import Aftermath, Session

# The server counts each transaction of a session, also one that changes nothing: whatever came between two is seen in the numbers.
NUMBERED = """
    txid_current() AS transaction,
    (SELECT split_part(virtualtransaction, '/', 2)::bigint FROM pg_locks
     WHERE pid = pg_backend_pid() AND locktype = 'virtualxid' AND mode = 'ExclusiveLock') AS number
"""
"""Two expressions of a SELECT that begins a transaction, whose row `Transactions.add` takes."""


class _Began(NamedTuple):
    id: int
    number: int
    """How many transactions the session had before it."""


class Transactions:
    """Those that began since `clear()`, each with its number in the session."""

    def __init__(self, session: Session) -> None:
        """Hold the session; asks nothing."""
        self._session = session
        self._began: list[_Began] = []

    def add(self, id_: int, number: int) -> None:
        """Know one that has just begun."""
        self._began.append(_Began(id_, number))

    def clear(self) -> None:
        """Forget all: another attempt begins, or the engine commits."""
        self._began.clear()

    def is_last(self, connection: Connection) -> bool:
        """Return whether the open transaction is the one that began last."""
        asked = "SELECT txid_current_if_assigned() = :began"
        return bool(ask(connection, asked, began=self._began[-1].id).scalar_one())

    def aftermath(self, connection: Connection) -> Aftermath:
        """Return what became of them, and whether there were others in between. On a second connection where the first is lost."""
        if not self._began:
            return Aftermath()
        ids = [began.id for began in self._began]
        question = "SELECT txid_status(began) FROM unnest(CAST(:began AS bigint[])) AS began"
        with nullcontext(connection) if not connection.invalidated else self._session.second_connection() as asked:
            if not asked.in_transaction():
                asked.begin()  # SQLAlchemy does not by itself after a listener of its event has raised
            found = set(ask(asked, question, began=ids).scalars())
            asked.rollback()
        committed = True if "committed" in found else False if found == {"aborted"} else None
        # The last one is that of the question, unless the session was lost, and took with it what it had counted.
        numbers = [began.number for began in self._began]
        return Aftermath(committed, any(after - before != 1 for before, after in pairwise(numbers)))
