"""What a person reads on standard error: progress, warnings, SQL where it was asked for, and what nobody expected."""

import logging
import sys
import traceback
import warnings
from contextlib import suppress
from pathlib import Path

import migrator


def show(*, verbose: bool, quiet: bool) -> None:
    """Send the engine's log, warnings and, if `verbose`, the SQL to standard error; `quiet` leaves errors alone."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.WARNING
    logging.getLogger("migrator").setLevel(level)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO if verbose else logging.WARNING)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    if quiet:
        warnings.simplefilter("ignore")


def unexpected(config: Path, database_url: str | None) -> str:
    """Return the traceback of what no text was written for, an error in a model for one, without the URL's password."""
    from sqlalchemy import make_url

    from migrator.url import scrub

    text = traceback.format_exc()
    with suppress(Exception):
        url = migrator.Settings.load(config, database_url=database_url).database_url
        text = scrub(text, make_url(url))
    return f"{text}error: this was not expected; the lines above say where it happened."


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"warning: {message}", file=sys.stderr)
