"""The database's URL: brought to a driver that is installed, and shown without its password."""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.util import to_list

from migrator.dialects import NAMES, part, titles
from migrator.errors import error


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
    adapted: sa.URL = database.adapt(url.set(drivername=f"{NAMES[name]}+{driver}"), text=text, root=root, source=source)
    return adapted


def mask(url: sa.URL) -> str:
    """Return the URL as users may see it: no password, neither in its usual place nor as an argument."""
    secret = {name: "hidden" for name in url.query if "password" in name}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def scrub(text: str, url: sa.URL) -> str:
    """Return the text with every spelling of the URL's passwords replaced by `***`."""
    given = [url.password, *(value for name, value in url.query.items() if "password" in name)]
    for secret in {password for value in given if value for password in to_list(value)}:
        for spelling in (secret, quote(secret, safe=""), quote(secret, safe=" +"), repr(secret)[1:-1]):
            text = text.replace(spelling, "***")
    return text
