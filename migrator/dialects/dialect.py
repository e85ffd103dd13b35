"""A database that the engine knows: it answers questions, holds nothing, and begins a session for each run."""

from sqlalchemy.engine import Connection

from migrator.dialects.questions import Explanation, Questions, UnseenIndex
from migrator.dialects.session import Session
from migrator.settings import Settings

__all__ = ["Dialect", "Explanation", "UnseenIndex"]


class Dialect(Questions):
    """One stateless object a database, shared by all runs. A database overrides what it has to say."""

    def session(self, connection: Connection, settings: Settings) -> Session:
        """Return the session of one run on this connection. Sends nothing."""
        return Session(self, connection, settings)
