"""The database's URL: brought to a driver that is installed, and shown without its password."""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from migrator.errors import SettingsError

_SYNC_DRIVERS: dict[str, dict[str | None, str | None]] = {
    "postgresql": {None: None, "asyncpg": None, "psycopg_async": "psycopg"},
    "sqlite": {None: "pysqlite", "aiosqlite": "pysqlite"},
}
_SQLITE_ARGUMENTS = {"uri", "timeout", "cached_statements", "check_same_thread"}


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
        raise SettingsError("url-driver-missing", driver=driver, source=source)
    url = url.set(drivername=f"{name}+{driver}")
    return _sqlite(url, root) if name == "sqlite" else _postgresql(url)


def _installed_driver() -> str:
    return next((name for name in ("psycopg2", "psycopg") if find_spec(name)), "psycopg2")


def _sqlite(url: sa.URL, root: Path) -> sa.URL:
    if "uri" not in url.query and (unknown := set(url.query) - _SQLITE_ARGUMENTS):
        raise SettingsError("url-sqlite-arguments", names=", ".join(sorted(unknown)))
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return url
    return url.set(database=str(root / Path(url.database).expanduser()))


def _postgresql(url: sa.URL) -> sa.URL:
    # asyncpg spells libpq's sslmode `ssl`; the words it takes are the same.
    if "ssl" in url.query:
        mode = url.query["ssl"]
        url = url.difference_update_query(["ssl"]).update_query_dict({"sslmode": mode})
    return url


def mask(url: sa.URL) -> str:
    """Return the URL for people: no password, neither in its usual place nor as an argument."""
    secret = {name: "***" for name in url.query if "password" in name}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def scrub(text: str, url: sa.URL) -> str:
    """Return the text with every spelling of the URL's passwords struck out."""
    secrets = [url.password, *(value for name, value in url.query.items() if "password" in name)]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            for spelling in (secret, quote(secret, safe=""), quote(secret, safe=" +")):
                text = text.replace(spelling, "***")
    return text
