"""An empty database for a short time, of the same kind as the connected one, to replay a history in."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError


class Outside(Exception):
    """A revision changes what is not in the scratch place: `names` in words."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


@dataclass
class Scratch:
    """Where a history is replayed."""

    connection: Connection
    whole: bool = True
    """Whether it is a database of its own; else it is a schema in the connected one, whose other schemas are the user's."""

    def complete(self, cause: DBAPIError, texts: str) -> bool:
        """Create what a step failed for and what the connected database has without the history, a schema for one.

        `texts` are the revisions', which tell what the history makes itself. Return whether the step may be tried again. In a
        transaction of its own.
        """
        return False

    def refuse_outside(self) -> None:
        """Raise `Outside` if the open transaction has changed anything that is not in the scratch place. Reads only."""
