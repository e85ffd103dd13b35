"""An empty SQLite database for a short time, to replay a history in and read the schema that it makes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from migrator.dialects.scratch import Scratch
from migrator.errors import error


@contextmanager
def file() -> Iterator[Scratch]:
    """Connect to a new file in a temporary folder, which is gone afterwards. As in real life a revision may open a second connection.

    Nothing is flushed to the disk. Raises SettingsError "file-unusable" if there is no place for temporary files.
    """
    with _folder() as folder:
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(Path(folder, "scratch.db"))), poolclass=NullPool)
        sa.event.listen(engine, "connect", _fast)
        try:
            with engine.connect() as connection:
                yield Scratch(connection)
        finally:
            engine.dispose()


def _folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="migrator_scratch_")
    except OSError as cause:
        raise error("file-unusable", path=cause.filename or "the temporary folder", reason=cause.strerror) from cause


def _fast(driver: Any, _: object) -> None:
    driver.execute("PRAGMA journal_mode = WAL").close()
    driver.execute("PRAGMA synchronous = OFF").close()
