"""What a user reads on standard error: progress, warnings, the SQL if asked for, and the end of a run that was cut short."""

import logging
import sys
import traceback
import warnings
from contextlib import suppress
from pathlib import Path

from migrator.errors.printable import printable
from migrator.errors.program import program


def show(*, verbose: bool, quiet: bool) -> None:
    """Send the engine's log, warnings and, if `verbose`, the SQL to standard error; `quiet` leaves errors alone."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.WARNING
    logging.getLogger("migrator").setLevel(level)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO if verbose else logging.WARNING)
    shown: set[str] = set()

    def show_warning(message: Warning | str, *_: object) -> None:
        if str(message) not in shown:  # the settings may be read twice, in the fast path and in the engine
            shown.add(str(message))
            print(f"warning: {printable(' '.join(str(message).split()))}", file=sys.stderr)

    warnings.showwarning = show_warning  # type: ignore[assignment]
    if quiet:
        warnings.simplefilter("ignore")


def interrupted(interrupt: KeyboardInterrupt) -> str:
    """Return what a run that the user interrupted did to the database, as far as the run itself knows, and where to look."""
    from migrator.errors.progress import consequence

    progress = getattr(interrupt, "progress", None)
    changed = "" if progress is None else f" {consequence(progress)}"  # without a run, nothing is known
    return f"Interrupted.{changed}\nCheck where the database is:\n  {program()} status"


def ended(ending: BaseException) -> str:
    """Return what a run did that something else than an error has ended, a cancelled task or sys.exit() for example."""
    from migrator.errors.progress import consequence

    progress = getattr(ending, "progress", None)
    said = f" ({ending})" if str(ending) else ""
    lines = [
        f"error: The command was ended by {type(ending).__name__}{said}, which env.py, a revision or a model raised."
    ]
    lines += [] if progress is None else [consequence(progress)]
    return "\n".join((*lines, f"Check where the database is:\n  {program()} status"))


def unexpected(problem: Exception, config: Path, database_url: str | None) -> str:
    """Return the traceback of an error that no text was written for, one in a model for example, without any password."""
    from migrator.errors.progress import consequence

    progress = getattr(problem, "progress", None)
    lines = ["error: unexpected error; please report it with the traceback above."]
    lines += [] if progress is None else [consequence(progress)]
    trace = "".join(traceback.format_exception(problem))
    return _without_passwords(trace + "\n".join(lines), config, database_url)


def _without_passwords(text: str, config: Path, database_url: str | None) -> str:
    from sqlalchemy import make_url

    from migrator.masking import scrub
    from migrator.settings import Settings

    url, key = make_url("sqlite://"), None
    # What is wrong with the settings was said before.
    with suppress(Exception), warnings.catch_warnings(action="ignore"):
        settings = Settings.load(config, database_url=database_url)
        url, key = make_url(settings.database_url), settings.log_key
    return scrub(text, url, key)
