"""URLs of SQLite: where the file is, and which arguments its driver takes."""

from pathlib import Path
from urllib.parse import unquote

import sqlalchemy as sa

from migrator.errors import error

TITLE = "SQLite"
MODULES = {"pysqlite": "sqlite3"}  # a driver and the Python module that it needs, if that has another name
PACKAGES: dict[str, str] = {}  # what to install for a driver, if that has another name
_ARGUMENTS = {"uri", "timeout", "cached_statements", "check_same_thread"}


def driver_for(asked: str) -> str:
    """Return the synchronous driver for one that a URL names, Python's own if it names none."""
    return "pysqlite" if asked in ("", "aiosqlite") else asked


def adapt(url: sa.URL, *, text: str, root: Path, source: str) -> sa.URL:
    """Return the URL with a path that does not depend on the current folder. Raises SettingsError for arguments without `uri=true`."""
    if "uri" not in url.query and (unknown := set(url.query) - _ARGUMENTS):
        raise error("url-sqlite-arguments", names=tuple(sorted(unknown)))
    path = url.database
    if not path and text.partition("?")[0].endswith(":///"):  # "sqlite:///" with an empty variable behind it
        raise error("url-unusable", source=source, reason="It names no file; a database in memory is sqlite://")
    if not path or ":memory:" in path or url.query.get("mode") == "memory":
        return url
    if path.startswith("file:"):
        file = path.removeprefix("file:")
        return url if file.startswith("//") else url.set(database=f"file:{root / file}")
    try:
        return url.set(database=str(root / Path(path).expanduser()))
    except RuntimeError as unknown:  # no such user, or none whose home is known
        raise error("url-unusable", source=source, reason=str(unknown)) from None


def file_of(url: sa.URL) -> str | None:
    """Return the path of the file that a URL leads to, None for a database in memory. Reads nothing."""
    path = url.database
    if not path or ":memory:" in path or url.query.get("mode") == "memory":
        return None
    if not path.startswith("file:"):
        return path
    # sqlite.org/uri.html: file:PATH or file://AUTHORITY/PATH, percent-encoded, an authority being empty or "localhost"
    path = path.removeprefix("file:").partition("#")[0].partition("?")[0]
    if path.startswith("//"):
        path = "/" + path.removeprefix("//").partition("/")[2]
    return unquote(path) or None
