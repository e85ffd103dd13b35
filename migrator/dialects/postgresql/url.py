"""URLs of PostgreSQL: which driver takes one, and what libpq calls the arguments that were written for asyncpg."""

from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

from migrator.errors import error

TITLE = "PostgreSQL"
MODULES: dict[str, str] = {}  # a driver and the Python module that it needs, if that has another name
PACKAGES = {"psycopg2": "psycopg2-binary", "psycopg": "psycopg[binary]"}  # what to install for a driver
_ASYNC_ARGUMENTS = (
    "ssl",
    "command_timeout",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
    "statement_cache_size",
)


def driver_for(asked: str) -> str:
    """Return the synchronous driver for one that a URL names, an installed one if it names none."""
    if asked in ("", "asyncpg"):
        return next((name for name in ("psycopg2", "psycopg") if find_spec(name)), "psycopg2")
    return "psycopg" if asked == "psycopg_async" else asked


def adapt(url: sa.URL, *, text: str, root: Path, source: str) -> sa.URL:
    """Return the URL in libpq's words; `text` is how it was written. Raises SettingsError if a password ended too early in it."""
    if "@" in (url.host or "") or ("@" in (url.database or "") and "%40" not in text):
        # An @ in the password ended it too early; the rest of it would be shown as a host.
        raise error("url-invalid", source=source)
    return _in_libpqs_words(url)


def synchronous(url: sa.URL) -> sa.URL:
    """Return a connection's URL for a synchronous driver, an installed one if the connection is asynchronous."""
    return _in_libpqs_words(url.set(drivername=f"postgresql+{driver_for(url.drivername.partition('+')[2])}"))


def _in_libpqs_words(url: sa.URL) -> sa.URL:
    # Arguments that only asyncpg understands are left out. Its `ssl` is libpq's `sslmode`, with the same values.
    known = url.difference_update_query(_ASYNC_ARGUMENTS)
    return known.update_query_dict({"sslmode": url.query["ssl"]}) if "ssl" in url.query else known
