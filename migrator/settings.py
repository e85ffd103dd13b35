"""The engine's settings: one frozen object, read once, that refuses values which would switch a guarantee off."""

import os
import re
from collections.abc import Callable, Mapping
from configparser import ConfigParser, Error as IniError
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import migrator

DEFAULT_URL = "sqlite:///app.db"
_URL_VARIABLES = ("MIGRATION_DATABASE_URL", "DATABASE_URL")
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _switch(text: str) -> bool:
    return _WORDS[text.lower()]


# What alembic.ini and the environment may set, and how it is read; the other fields are said by one command, for one run.
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "lock_wait": float,
    "lock_timeout": int,
    "retry_for": float,
    "statement_timeout": int,
    "audit": _switch,
    "run_stored": _switch,
    "verify_stamp": _switch,
    "own": lambda text: tuple(text.replace(",", " ").split()),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run behaves. `[migrator]` in alembic.ini < environment variables (`MIGRATOR_LOCK_WAIT`, …) < arguments.

    `root` is the folder of alembic.ini; `source` says where the URL was found, for error texts.
    """

    root: Path
    database_url: str = DEFAULT_URL
    source: str = "the default"
    lock_wait: float = 300.0
    """Seconds to wait for another run, or on SQLite for an application that holds the database, before giving up."""
    lock_timeout: int = 250
    """Milliseconds that a statement may queue for a table's lock on PostgreSQL; grows a little with each try."""
    retry_for: float = 60.0
    """Seconds during which a step that ran into `lock_timeout` is tried again."""
    statement_timeout: int | None = None
    """Milliseconds that one statement of a step may take on PostgreSQL; None leaves the server's own setting."""
    audit: bool = True
    """Whether each step is recorded in the `migration_log` table."""

    run_stored: bool = False
    """Whether a downgrade may run the texts that the log keeps of revisions whose files are gone."""

    drop_adopted: bool = False
    """Whether a downgrade may go below the revision at which the database was adopted."""

    accept_loss: tuple[str, ...] = ()
    """What a rebuild on SQLite may lose, in the words of the error that would stop it; only a revision says so, for itself."""

    verify_stamp: bool = True
    """Whether a stamp is refused unless the database has the schema of the revision it is stamped with."""
    accept_harmless: bool = False
    """Whether such a stamp goes through when nothing but harmless differences remain."""
    adopting: bool = False
    """Whether a stamp also copies the history of another migration runner into the log."""
    bridge: Path | None = None
    """A file written by `adopt --fix`, run in the stamp's own transaction before the comparison."""
    own: tuple[str, ...] = ()
    """Tables that autogenerate may drop although neither the models nor the revisions speak of them."""

    def __post_init__(self) -> None:
        if self.lock_timeout <= 0:
            _refuse("lock_timeout", self.lock_timeout, "0 would wait for ever and queue every writer behind the wait")
        if self.statement_timeout is not None and self.statement_timeout <= 0:
            _refuse("statement_timeout", self.statement_timeout, "0 would switch it off; leave it out instead")
        for name in ("lock_wait", "retry_for"):
            if not 0 <= getattr(self, name) < float("inf"):
                _refuse(name, getattr(self, name), "it is a number of seconds, 0 or more")

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

        Raises SettingsError for a missing or unreadable file, an unknown name, or a value that cannot be used.
        """
        parser = read_ini(ini)
        root = (ini.parent if ini else Path()).absolute()
        values: dict[str, Any] = dict(parser["migrator"]) if parser.has_section("migrator") else {}
        known = _FROM_TEXT.keys()
        for name in values.keys() - known:
            _refuse(name, values[name], f"there is no such setting; there are {', '.join(sorted(known))}")
        values |= {n: environ[f"MIGRATOR_{n.upper()}"] for n in known if f"MIGRATOR_{n.upper()}" in environ}
        url, source = _find_url(root, parser, section, environ)
        if (given := arguments.pop("database_url", None)) is not None:
            url, source = given, "--database-url"
        values |= {name: value for name, value in arguments.items() if value is not None}
        converted = {name: _convert(name, value) for name, value in values.items()}
        return cls(root=root, database_url=url, source=source, **converted)


def read_ini(ini: Path | None) -> ConfigParser:
    """Return alembic.ini as it stands, with % an ordinary character; SettingsError where it is missing or cannot be read."""
    parser = ConfigParser(interpolation=None)
    if ini is not None:
        try:
            parser.read_string(ini.read_text(encoding="utf-8"), source=str(ini))
        except FileNotFoundError:
            raise migrator.SettingsError("config-missing", path=ini) from None
        except (OSError, UnicodeDecodeError, IniError) as error:
            raise migrator.SettingsError("config-unreadable", path=ini, reason=" ".join(str(error).split())) from error
    return parser


def _find_url(root: Path, parser: ConfigParser, section: str, environ: Mapping[str, str]) -> tuple[str, str]:
    dotenv = _read_dotenv(root / ".env")
    for name in _URL_VARIABLES:
        for place, values in ((name, environ), (f"{name} in .env", dotenv)):
            if (value := values.get(name)) is not None:
                return value, place
    value = parser.get(section, "sqlalchemy.url", fallback=None)
    if value is None:
        return DEFAULT_URL, "the default"
    # Alembic's own manual has % doubled here; in a URL a doubled % can mean nothing else.
    tokens = {"%%": "%", "%(here)s": str(root).replace("%", "%25").replace("?", "%3F")}
    return re.sub(r"%%|%\(here\)s", lambda found: tokens[found[0]], value), "sqlalchemy.url in alembic.ini"


def _read_dotenv(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise migrator.SettingsError("config-unreadable", path=path, reason=error) from error
    return {name: value for name, value in values.items() if value is not None}


def _convert(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return _FROM_TEXT[name](value)
    except (KeyError, ValueError):
        _refuse(name, value, "that is not a value it can take")


def _refuse(name: str, value: object, reason: str) -> NoReturn:
    raise migrator.SettingsError("setting-refused", name=name, value=value, reason=reason)
