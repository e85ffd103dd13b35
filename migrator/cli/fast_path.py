"""The quick answer to `upgrade` and `status` with nothing to do, and to `current`: files read as text, and one look at the database.

It loads neither Alembic nor SQLAlchemy, which take most of such a command's time. Whatever is not plain it leaves to the full way, by
answering None: so it can be missing, but not different. A file that was not loaded may be broken, unless it is the one that ran:
that is what the log's checksums are for.
"""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import migrator
from migrator.history import files, headers
from migrator.history.headers import Header
from migrator.results import Report, Revision, Status
from migrator.settings import Settings, read_ini

if TYPE_CHECKING:
    from migrator.api import Migrator

_PLAIN_ENV = re.compile(r"^run_env\([\w.]+\)\s*\Z", re.M)  # no options, so the version table is the usual one
_PLAIN = re.compile(r"[\w/.-]+")
_OTHER_LAYOUT = ("version_locations", "recursive_version_locations", "sourceless")
_HEADS = "SELECT version_num FROM alembic_version"
_RUNS = """
    SELECT revision, checksum, finished_at, duration_ms, outcome FROM migration_log
    WHERE direction = 'upgrade' AND outcome = 'done' OR outcome = 'begun' ORDER BY id DESC
"""


@dataclass(frozen=True)
class _Look:
    """What one look at the database found: the heads, and each revision's last run."""

    url: str
    heads: tuple[str, ...]
    runs: dict[str, tuple[str, datetime, int]]


class Shortcut:
    """A `Migrator` that first tries the quick way; everything else it hands on, and only then loads the engine."""

    def __init__(self, config: Path, **settings: Any) -> None:
        self._config = config
        self._arguments = settings
        self.settings = Settings.load(config.absolute(), **settings)
        self._url: str | None = None

    @cached_property
    def full(self) -> "Migrator":
        """The engine itself."""
        return migrator.Migrator(self._config, **self._arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.full, name)

    @property
    def url(self) -> str:
        """As `Migrator.url`."""
        return self._url or self.full.url

    def current(self) -> tuple[str, ...]:
        """As `Migrator.current()`."""
        look = None if _versions(self._config) is None else self._look(_HEADS)
        return self.full.current() if look is None else look.heads

    def status(self) -> Status:
        """As `Migrator.status()`."""
        return self._status() or self.full.status()

    def upgrade(self, revision: str = "head") -> Report:
        """As `Migrator.upgrade()`."""
        found = self._status() if revision == "head" else None
        if found is None or found.at != (found.head,):
            return self.full.upgrade(revision)
        return Report(found.url, found.at, found.at)

    def _status(self) -> Status | None:
        """Return the status of a database at its head whose every file is the one that ran; else None."""
        versions = _versions(self._config)
        try:
            line = () if versions is None else headers.read(versions)
        except files.Unclear:
            return None
        look = self._look(_HEADS, _RUNS) if line and self.settings.audit else None
        if look is None or look.heads != (line[-1].revision,) or not all(_ran(header, look) for header in line):
            return None
        return Status(look.url, look.heads, line[-1].revision, tuple(_revision(header, look) for header in line))

    def _look(self, *queries: str) -> _Look | None:
        url, look = self.settings.database_url, None
        if url.startswith("sqlite:///"):
            look = _look_sqlite(self.settings.root / url.removeprefix("sqlite:///"), queries)
        elif url.startswith(("postgresql://", "postgres://", "postgresql+psycopg2://")):
            look = _look_postgresql(url, queries)
        self._url = None if look is None else look.url
        return look


def _ran(file: Header, look: _Look) -> bool:
    return file.revision in look.runs and look.runs[file.revision][0] == file.checksum


def _revision(file: Header, look: _Look) -> Revision:
    _, at, milliseconds = look.runs[file.revision]
    return Revision(file.revision, file.description, file.path, True, at, milliseconds / 1000)


def _versions(ini: Path) -> Path | None:
    options = read_ini(ini)
    if not options.has_section("alembic") or any(options.has_option("alembic", name) for name in _OTHER_LAYOUT):
        return None
    folder = Path(
        options.get("alembic", "script_location", fallback="").replace("%(here)s", str(ini.absolute().parent))
    )
    env = folder / "env.py"
    if not folder.is_absolute() or not env.is_file():
        return None
    text = env.read_text(encoding="utf-8")
    return folder / "versions" if _PLAIN_ENV.search(text) and text.count("run_env(") == 1 else None


def _look_sqlite(path: Path, queries: Sequence[str]) -> _Look | None:
    if not _PLAIN.fullmatch(str(path)) or not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as connection:
            return _found(f"sqlite+pysqlite:///{path}", [connection.execute(query).fetchall() for query in queries])
    except sqlite3.Error:  # no such table, no database, locked: the full way says it better
        return None


def _look_postgresql(url: str, queries: Sequence[str]) -> _Look | None:
    try:
        import psycopg2  # type: ignore[import-untyped,unused-ignore]

        parts = urlsplit(url)
        user, host, port, name = parts.username or "", parts.hostname or "", parts.port, parts.path.removeprefix("/")
    except (ImportError, ValueError):
        return None
    if parts.query or parts.fragment or not all(map(_PLAIN.fullmatch, (user, host, name))):
        return None
    secret = None if parts.password is None else unquote(parts.password)
    shown = f"{user}{'' if secret is None else ':***'}@{host}{'' if port is None else f':{port}'}/{name}"
    rows = []
    try:
        with closing(psycopg2.connect(host=host, port=port, user=user, password=secret, dbname=name)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for query in queries:
                    cursor.execute(query)
                    rows.append(cursor.fetchall())
    except psycopg2.Error:
        return None
    return _found(f"postgresql+psycopg2://{shown}", rows)


def _found(url: str, rows: Sequence[Sequence[Any]]) -> _Look | None:
    heads, *logged = rows
    runs: dict[str, tuple[str, datetime, int]] = {}
    for revision, checksum, at, milliseconds, outcome in logged[0] if logged else ():
        if outcome == "begun":  # a step that has not ended: the full way says what that means
            return None
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at.astimezone(UTC)
        runs.setdefault(revision, (checksum, moment, milliseconds))
    return _Look(url, tuple(row[0] for row in heads), runs)
