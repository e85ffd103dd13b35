"""An empty SQLite database for a short time, to replay a history in and read the schema that it makes."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.pool import StaticPool


@contextmanager
def memory() -> Iterator[Connection]:
    """Connect to a new database in memory, which is gone afterwards."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
