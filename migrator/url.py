"""The database's URL, brought to a driver that is installed; what is special about a database is in its folder of `dialects`."""

from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.util import to_list

from migrator.dialects import NAMES, part, titles
from migrator.errors import error

# SQLAlchemy 2.1 percent-decodes the database's name, 2.0 does not.
_DECODES = sa.make_url("sqlite:///%41").database == "A"


def driver_url(text: str, *, root: Path, source: str = "the URL") -> sa.URL:
    """Return the URL for SQLAlchemy and a synchronous driver. Opens nothing.

    Keeps an explicit synchronous driver. A relative path is taken from the folder `root`. Raises SettingsError with `source`, which
    says where the text was found, and never with the text itself, which may hold a password.
    """
    text = text.strip()
    if not text:
        raise error("url-empty", source=source)
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise error("url-invalid", source=source) from None
    name, _, asked = url.drivername.partition("+")
    if name not in NAMES:
        raise error("url-unsupported", name=url.drivername, source=source, known=titles())
    database = part(name, "url")
    driver: str = database.driver_for(asked)
    if find_spec(database.MODULES.get(driver, driver)) is None:
        raise error("url-driver-missing", driver=driver, package=database.PACKAGES.get(driver, driver), source=source)
    url = url.set(drivername=f"{NAMES[name]}+{driver}")
    if url.database and not _DECODES:
        url = url.set(database=unquote(url.database))
    if "\0" in "".join(map(str, (*url[1:6], *chain.from_iterable(map(to_list, url.query.values()))))):
        raise error("url-unusable", source=source, reason="It contains a NUL character, %00.")
    adapted: sa.URL = database.adapt(url, text=text, root=root, source=source)
    return adapted
