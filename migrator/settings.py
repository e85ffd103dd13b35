"""The engine's settings: what alembic.ini and the environment may say, in one frozen object that refuses the rest.

Importing this loads neither Alembic nor SQLAlchemy.
"""

import inspect
import os
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from configparser import ConfigParser, Error as IniError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from migrator import env_file
from migrator.errors import error

DEFAULT_URL = "sqlite:///app.db"
NAMED = "--database-url"
"""The `source` of a URL that was given as an argument, on the command line or in Python."""
_URL_VARIABLES = ("MIGRATION_DATABASE_URL", "DATABASE_URL")
_PREFIX = "MIGRATOR_"
# Variables that Kubernetes sets in every container, here for a service called "migrator" or "migrator-…"
# (kubernetes.io, "Discovering services"; the older ones are those of Docker's links).
_KUBERNETES = re.compile(r"MIGRATOR_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\w+)?)")
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_OLD_NAMES = {"audit": "log", "own": "owned_tables"}
_PLAIN_NAME = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]{0,49}"
)  # an index and a constraint are named after it, and PostgreSQL's names have 63 bytes
_SHORTEST_KEY = 16  # characters
_DANGEROUS = {
    "lock_timeout": "0 would wait for ever and queue every writer behind the wait",
    "statement_timeout": "0 would switch it off; leave it out instead",
    "idle_limit": "0 would let a run whose machine has vanished keep its locks for ever",
}


class _Kind(NamedTuple):
    """What a setting may hold: how its text is read, which values are good, and both in words."""

    read: Callable[[str], Any]
    holds: Callable[[Any], bool]
    takes: str


def _is_seconds(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= float(value) < float("inf")
    except OverflowError:
        return False


def _is_limit(value: Any) -> bool:
    return _is_seconds(value) and 0.001 <= value < 2**31 / 1000


def _is_milliseconds(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _is_names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(name, str) for name in value)


def _is_key(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) >= _SHORTEST_KEY)


_SECONDS = _Kind(float, _is_seconds, "a number of seconds, 0 or more")
_LIMIT = _Kind(float, _is_limit, "a number of seconds, 0.001 to 2147483")
_MILLISECONDS = _Kind(int, _is_milliseconds, f"a whole number of milliseconds, 1 to {2**31 - 1}")
_SWITCH = _Kind(lambda text: _WORDS[text.lower()], lambda value: isinstance(value, bool), "yes or no")
_LINES = _Kind(
    lambda text: tuple(line.strip() for line in text.splitlines() if line.strip()), _is_names, "texts, one in each line"
)
_TABLES = _Kind(lambda text: tuple(text.replace(",", " ").split()), _is_names, "names of tables, separated by commas")
_TABLE = _Kind(
    str,
    lambda value: isinstance(value, str) and _PLAIN_NAME.fullmatch(value) is not None,
    "the name of a table, at most 50 letters, digits and _",
)
_KEY = _Kind(str, _is_key, f"a text of {_SHORTEST_KEY} characters or more, which is not shown")

_KINDS: dict[str, _Kind] = {
    "lock_wait": _SECONDS,
    "lock_timeout": _MILLISECONDS,
    "retry_for": _SECONDS,
    "statement_timeout": _MILLISECONDS,
    "idle_limit": _LIMIT,
    "log": _SWITCH,
    "log_table": _TABLE,
    "log_key": _KEY,
    "run_stored": _SWITCH,
    "verify_stamp": _SWITCH,
    "owned_tables": _TABLES,
    "accept_loss": _LINES,
}
NAMES = tuple(_KINDS)
"""The settings that alembic.ini, the environment (`MIGRATOR_LOCK_WAIT`, …) and arguments may set."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run behaves. `[migrator]` in alembic.ini < environment variables (`MIGRATOR_LOCK_WAIT`, …) < arguments.

    `root` is the folder of alembic.ini; `source` says where the URL was found, for error texts. Raises SettingsError for a value that
    a setting cannot take.
    """

    root: Path
    database_url: str = DEFAULT_URL
    source: str = "the default"
    lock_wait: float = 300.0
    """Seconds to wait for another run, or on SQLite for an application that holds the database, before giving up."""
    lock_timeout: int = 250
    """Milliseconds that a statement may queue for a table's lock on PostgreSQL; grows a little with each attempt."""
    retry_for: float = 60.0
    """Seconds during which a step that ran into `lock_timeout` is retried."""
    statement_timeout: int | None = None
    """Milliseconds that one statement of a step may take on PostgreSQL; None leaves the server's own setting."""
    idle_limit: float = 600.0
    """Seconds that a step on PostgreSQL may ask the database nothing; then the server ends its session, with its locks."""
    log: bool = True
    """Whether each step is recorded in the log."""
    log_table: str = "migration_log"
    """The name of the log's table, which is next to the version table."""
    log_key: str | None = field(default=None, repr=False)
    """What the texts in the log are signed with; where it is set, no text without its signature is run. Never shown."""
    run_stored: bool = False
    """Whether a downgrade may run the texts that the log keeps of revisions whose files are gone."""
    verify_stamp: bool = True
    """Whether a stamp is refused unless the database has the schema of the revision it is stamped with."""
    owned_tables: tuple[str, ...] = ()
    """Tables that autogenerate may drop even though no model or revision mentions them."""
    accept_loss: tuple[str, ...] = ()
    """What a rebuild on SQLite may lose in any revision, in the words of the error that lists it."""

    def __post_init__(self) -> None:
        if not isinstance(self.database_url, str):
            _refuse("database_url", self.database_url, "it takes a URL as text")
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if kind.holds(value) or (name == "statement_timeout" and value is None):
                continue
            dangerous = (
                name in _DANGEROUS and isinstance(value, int | float) and not isinstance(value, bool) and value <= 0
            )
            _refuse(name, value, _DANGEROUS[name] if dangerous else f"it takes {kind.takes}")

    @classmethod
    def load(
        cls,
        ini: Path | None,
        *,
        section: str = "alembic",
        environ: Mapping[str, str] = os.environ,
        **arguments: Any,
    ) -> "Settings":
        """Read the settings; opens alembic.ini and `.env`, writes nothing. Arguments that are None do not count.

        Raises SettingsError for a missing or unreadable file, an unknown name, or a value that cannot be used. An old name works, with a
        FutureWarning.
        """
        parser = read_ini(ini)
        root = (ini.parent if ini else Path()).absolute()
        given = {name: value for name, value in arguments.items() if value is not None}
        if "database_url" in given:
            url, source = given.pop("database_url"), NAMED
        else:
            url, source = _find_url(root, parser, section, environ)
        values = _from_file(parser) | _from_environment(environ)
        values |= _todays(given, {name: name for name in (*NAMES, *_OLD_NAMES)}, others=("database_url",))
        converted = {name: _convert(name, value) for name, value in values.items()}
        return cls(root=root, database_url=url, source=source, **converted)


def read_ini(ini: Path | None) -> ConfigParser:
    """Return alembic.ini as it stands, with % an ordinary character; SettingsError where it is missing or cannot be read."""
    parser = ConfigParser(interpolation=None)
    if ini is not None:
        try:
            parser.read_string(ini.read_text(encoding="utf-8"), source=str(ini))
        except FileNotFoundError:
            raise error("config-missing", path=ini) from None
        except (OSError, UnicodeDecodeError, IniError) as cause:
            raise error("config-unreadable", path=ini, reason=" ".join(str(cause).split())) from cause
    return parser


def _from_file(parser: ConfigParser) -> dict[str, Any]:
    if not parser.has_section("migrator"):
        return {}
    # What [DEFAULT] says for other sections is no mistake in ours.
    known = {name: name for name in (*NAMES, *_OLD_NAMES)}
    lines = {name: text for name, text in parser["migrator"].items() if name in known or name not in parser.defaults()}
    return _todays(lines, known, where=" in alembic.ini")


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    spelled = {f"{_PREFIX}{name.upper()}": name for name in (*NAMES, *_OLD_NAMES)}
    ours = {
        name: text for name, text in environ.items() if name.startswith(_PREFIX) and not _KUBERNETES.fullmatch(name)
    }
    return _todays(ours, spelled, others=("MIGRATION_DATABASE_URL",))


def _todays(
    given: Mapping[str, Any], spelled: Mapping[str, str], *, where: str = "", others: Iterable[str] = ()
) -> dict[str, Any]:
    """Return what one source gives, under today's names. Warns of old names, and refuses unknown ones.

    `spelled` are the names as this source writes them; `others` what else it may say, for the nearest name.
    """
    written = {name: spelling for spelling, name in spelled.items()}
    known = tuple(spelling for spelling, name in spelled.items() if name in _KINDS)
    values: dict[str, Any] = {}
    for spelling, value in given.items():
        if spelling not in spelled:
            _refuse_name(spelling, value, known, (*known, *others))
        name = spelled[spelling]
        if name in _OLD_NAMES:
            name = _OLD_NAMES[name]
            if written[name] in given:
                _refuse(spelling, value, f"it is the old name of {written[name]}, which is given as well")
            warn_of_old_name(f"{spelling}{where}", written[name])
        values[name] = value
    return values


def warn_of_old_name(old: str, new: str) -> None:
    """Give the FutureWarning of an old name, with the line of the program that called the engine."""
    level, frame = 1, inspect.currentframe()
    while (
        frame is not None
        and frame.f_back is not None
        and frame.f_globals.get("__name__", "").partition(".")[0] == "migrator"
    ):
        level, frame = level + 1, frame.f_back
    text = f"{old} is now called {new}; the old name works in this release only"
    warnings.warn(text, FutureWarning, stacklevel=level)


def _find_url(root: Path, parser: ConfigParser, section: str, environ: Mapping[str, str]) -> tuple[str, str]:
    dotenv: Mapping[str, str] | None = None
    for name in _URL_VARIABLES:
        if name in environ:
            return environ[name], name
        if dotenv is None:
            dotenv = env_file.read(root / ".env", [each for each in _URL_VARIABLES if each not in environ])
        if name in dotenv:
            return dotenv[name], f"{name} in .env"
    value = parser.get(section, "sqlalchemy.url", fallback=None)
    if value is None:
        return DEFAULT_URL, "the default"
    # Alembic's own manual has % doubled here; in a URL a doubled % can mean nothing else.
    tokens = {"%%": "%", "%(here)s": str(root).replace("%", "%25").replace("?", "%3F")}
    return re.sub(r"%%|%\(here\)s", lambda found: tokens[found[0]], value), "sqlalchemy.url in alembic.ini"


def _convert(name: str, value: Any) -> Any:
    """Read text, and take a list of names for a tuple. `Settings` itself checks whether the value is good."""
    if isinstance(value, list) and name in ("owned_tables", "accept_loss"):
        return tuple(value)
    if not isinstance(value, str):
        return value
    try:
        return _KINDS[name].read(value)
    except (KeyError, ValueError):
        _refuse(name, value, f"it takes {_KINDS[name].takes}")


def _refuse_name(name: str, value: object, known: tuple[str, ...], candidates: Collection[str]) -> NoReturn:
    import difflib  # only where something is refused

    nearest = next(iter(difflib.get_close_matches(name, candidates, n=1)), None)
    hint = f" (did you mean {nearest}?)" if nearest else ""
    reason = f"there is no such setting{hint}; there are {', '.join(known)}"
    raise error("setting-refused", name=name, value=_shown(name, value), reason=reason, nearest=nearest, known=known)


def _refuse(name: str, value: object, reason: str) -> NoReturn:
    raise error("setting-refused", name=name, value=_shown(name, value), reason=reason, nearest=None, known=NAMES)


def _shown(name: str, value: object) -> object:
    """What was given under a wrong name, or as a wrong setting, may be a URL or a key."""
    return "***" if "://" in repr(value) or "key" in name.lower() else value
