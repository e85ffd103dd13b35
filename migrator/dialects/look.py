"""What one look at a database gives, without SQLAlchemy: the answers to a few queries, for commands that find nothing to do."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

PLAIN = re.compile(r"[\w/.-]+")  # a path, user, host or name that means the same to a driver and to SQLAlchemy


class Look(NamedTuple):
    """The answers of one database."""

    url: str
    """As `Migrator.url` shows it: with the driver and without the password."""
    answers: tuple[Sequence[Any] | None, ...]
    """The rows of each query, in the queries' order; None where its table is not there."""
