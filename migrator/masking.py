"""No password in what a user sees: neither in a URL that is shown, nor in what a driver or a revision says."""

from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.util import to_list


def mask(url: sa.URL) -> str:
    """Return the URL as users may see it: no password, neither in its usual place nor as an argument."""
    secret = {name: "hidden" for name in url.query if "password" in name}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def scrub(text: str, url: sa.URL, *secrets: str | None) -> str:
    """Return the text with every spelling of the URL's passwords, and of other secrets, replaced by `***`."""
    given = [url.password, *secrets, *(value for name, value in url.query.items() if "password" in name)]
    for secret in {password for value in given if value for password in to_list(value)}:
        for spelling in (secret, quote(secret, safe=""), quote(secret, safe=" +"), repr(secret)[1:-1]):
            text = text.replace(spelling, "***")
    return text
