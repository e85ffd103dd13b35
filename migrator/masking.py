"""No password in what a user sees: neither in a URL that is shown, nor in what a driver or a revision says."""

import json
import re
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.util import to_list

_SECRET_ARGUMENT = re.compile("password|secret", re.I)
_IN_ANY_URL = re.compile(r"(://[^\s:/@]*):[^\s/@]+@")
# Where a password stands: password=x, "password": "x", password is 'x'.
_CALLED_SO = r"(?i:(pass(?:word|wd|phrase)?\w*|pwd)(['\"]?\s*(?:=>?|:)\s*['\"]?|\s+(?:is\s+)?['\"]))"
_LONG = 8  # characters; nothing so long is part of another word by chance
_SHORT = 4  # shorter ones are words and parts of words everywhere


def mask(url: sa.URL) -> str:
    """Return the URL as users may see it: no password, neither in its usual place nor as an argument."""
    secret = {name: "hidden" for name in url.query if _SECRET_ARGUMENT.search(name)}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def scrub(text: str, url: sa.URL, *secrets: str | None) -> str:
    """Return the text with every spelling of the URL's passwords and of other secrets replaced by `***`, and no password in any URL in it.

    A password that is an ordinary word is replaced where it stands alone. One that tells nothing, because it is also the name of the
    user or of the database, or has three characters at most, is replaced where a password stands: in a URL and after "password".
    """
    given = [url.password, *secrets, *(value for name, value in url.query.items() if _SECRET_ARGUMENT.search(name))]
    shown = " ".join(filter(None, (url.drivername, url.username, url.host, url.database))).lower()
    for secret in {str(password) for value in given if value for password in to_list(value)}:
        text = _without(text, secret, is_known=secret.lower() in shown)
    return _IN_ANY_URL.sub(r"\1:***@", text)


def _without(text: str, secret: str, *, is_known: bool) -> str:
    exactly = f"(?:{'|'.join(_spellings(secret))})"
    text = re.sub(rf":{exactly}@", ":***@", text)
    text = re.sub(rf"{_CALLED_SO}{exactly}(?![^\W_])", r"\1\2***", text)
    is_a_word = secret.isalpha() or secret.isdecimal()
    if is_known or len(secret) < (_SHORT if is_a_word else 2):
        return text
    if not is_a_word or len(secret) >= _LONG:
        return re.sub(exactly, "***", text)
    return re.sub(rf"(?:(?<![^\W_])|(?<=\\[nrt])){exactly}(?![^\W_])", "***", text)


def _spellings(secret: str) -> Iterator[str]:
    """Patterns of it as a URL may have it, each character percent-encoded or not, and as Python and JSON escape it."""
    characters = (("".join(f"%{byte:02X}" for byte in each.encode(errors="surrogatepass")), each) for each in secret)
    yield "".join(
        rf"(?:{re.escape(each)}|(?i:{encoded}){r'|[+]' if each == ' ' else ''})" for encoded, each in characters
    )
    yield from {re.escape(escaped[1:-1]) for escaped in (repr(secret), ascii(secret), json.dumps(secret))}
