"""The database's URL: brought to a driver that is installed, and shown without its password."""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.util import to_list

from migrator.errors import SettingsError

_SYNC_DRIVERS: dict[str, dict[str | None, str | None]] = {
    "postgresql": {None: None, "asyncpg": None, "psycopg_async": "psycopg"},
    "sqlite": {None: "pysqlite", "aiosqlite": "pysqlite"},
}
_SQLITE_ARGUMENTS = {"uri", "timeout", "cached_statements", "check_same_thread"}
_ASYNCPG_ARGUMENTS = (
    "ssl",
    "command_timeout",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
    "statement_cache_size",
)

# SQLAlchemy 2.1 percent-decodes the database's name, 2.0 does not.
_DECODES = sa.make_url("sqlite:///%41").database == "A"


def driver_url(text: str, *, root: Path, source: str = "the URL") -> sa.URL:
    """Return the URL as SQLAlchemy takes it, for a synchronous driver; opens nothing.

    An explicit synchronous driver is kept. A relative SQLite path is taken from `root`. Raises SettingsError with `source`, and
    never with the text itself, which may hold a password.
    """
    if not text.strip():
        raise SettingsError("url-empty", source=source)
    try:
        url = sa.make_url(text.strip())
    except (ArgumentError, ValueError):
        raise SettingsError("url-invalid", source=source) from None
    name, _, driver = url.drivername.partition("+")
    name = "postgresql" if name == "postgres" else name
    if name not in _SYNC_DRIVERS:
        raise SettingsError("url-unsupported", name=url.drivername, source=source)
    driver = _SYNC_DRIVERS[name].get(driver or None, driver) or _installed_driver()
    if find_spec("sqlite3" if driver == "pysqlite" else driver) is None:
        package = {"psycopg2": "psycopg2-binary"}.get(driver, driver)  # psycopg2 itself wants a compiler
        raise SettingsError("url-driver-missing", driver=driver, package=package, source=source)
    url = url.set(drivername=f"{name}+{driver}")
    if url.database and not _DECODES:
        url = url.set(database=unquote(url.database))
    if name == "sqlite":
        return _sqlite(url, root)
    if "@" in (url.host or "") or ("@" in (url.database or "") and "%40" not in text):
        # An @ in the password ended it too early; the rest of it would be shown as a host.
        raise SettingsError("url-invalid", source=source)
    return _postgresql(url)


def _installed_driver() -> str:
    return next((name for name in ("psycopg2", "psycopg") if find_spec(name)), "psycopg2")


def _sqlite(url: sa.URL, root: Path) -> sa.URL:
    if "uri" not in url.query and (unknown := set(url.query) - _SQLITE_ARGUMENTS):
        raise SettingsError("url-sqlite-arguments", names=", ".join(sorted(unknown)))
    path = url.database
    if not path or ":memory:" in path or url.query.get("mode") == "memory":
        return url
    if path.startswith("file:"):
        file = path.removeprefix("file:")
        return url if file.startswith("//") else url.set(database=f"file:{root / file}")
    return url.set(database=str(root / Path(path).expanduser()))


def _postgresql(url: sa.URL) -> sa.URL:
    # What only asyncpg understands is left out, and its `ssl` is libpq's `sslmode`: the words for both are the same.
    known = url.difference_update_query(_ASYNCPG_ARGUMENTS)
    return known.update_query_dict({"sslmode": url.query["ssl"]}) if "ssl" in url.query else known


def mask(url: sa.URL) -> str:
    """Return the URL for people: no password, neither in its usual place nor as an argument."""
    secret = {name: "hidden" for name in url.query if "password" in name}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def scrub(text: str, url: sa.URL) -> str:
    """Return the text with every spelling of the URL's passwords struck out."""
    given = [url.password, *(value for name, value in url.query.items() if "password" in name)]
    for secret in {part for value in given if value for part in to_list(value)}:
        for spelling in (secret, quote(secret, safe=""), quote(secret, safe=" +"), repr(secret)[1:-1]):
            text = text.replace(spelling, "***")
    return text
