"""The quick answer to `upgrade` with nothing to do, `status` and `current`: the files read as text, and one look at the database.

It loads neither Alembic nor SQLAlchemy, which take most of such a command's time. Whatever is not plain it leaves to the full way, by
answering None: so it can be missing, but not different.
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
from migrator import headers, history
from migrator.headers import Header
from migrator.results import Report, Revision, Status
from migrator.settings import Settings, read_ini

if TYPE_CHECKING:
    from migrator.api import Migrator

_PLAIN_ENV = re.compile(r"^run_env\([\w.]+\)\s*\Z", re.M)  # no options, so the version table is the usual one
_PLAIN = re.compile(r"[\w/.-]+")
_OTHER_LAYOUT = ("version_locations", "recursive_version_locations", "sourceless")
_HEADS = "SELECT version_num FROM alembic_version"
_RUNS = """
    SELECT revision, checksum, finished_at, duration_ms FROM migration_log
    WHERE direction = 'upgrade' AND outcome = 'done' ORDER BY id DESC
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
        return self._url or self.full.url

    def current(self) -> tuple[str, ...]:
        """As `Migrator.current()`."""
        look = None if _versions(self._config) is None else self._look()
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
        """Return the status, None where only the full way can tell; never one with an edited file, which needs a closer look."""
        versions = _versions(self._config)
        try:
            line = () if versions is None else headers.read(versions)
        except history.Unclear:
            return None
        look = self._look() if line else None
        order = [header.revision for header in line]
        if look is None or len(look.heads) > 1 or not set(order) >= set(look.heads):
            return None
        applied = order[: order.index(look.heads[0]) + 1] if look.heads else ()
        revisions = tuple(_revision(header, header.revision in applied, look) for header in line)
        if any(revision.edited for revision in revisions):
            return None
        return Status(look.url, look.heads, order[-1], revisions)

    def _look(self) -> _Look | None:
        url, queries = self.settings.database_url, (_HEADS, _RUNS)[: 1 + self.settings.audit]
        look = None
        if url.startswith("sqlite:///"):
            look = _look_sqlite(self.settings.root / url.removeprefix("sqlite:///"), queries)
        elif url.startswith(("postgresql://", "postgres://", "postgresql+psycopg2://")):
            look = _look_postgresql(url, queries)
        self._url = None if look is None else look.url
        return look


def _revision(file: Header, applied: bool, look: _Look) -> Revision:
    if not applied or file.revision not in look.runs:
        return Revision(file.revision, file.description, file.path, applied)
    checksum, at, milliseconds = look.runs[file.revision]
    edited = checksum != file.checksum
    return Revision(file.revision, file.description, file.path, True, at, milliseconds / 1000, edited)


def _versions(ini: Path) -> Path | None:
    options = read_ini(ini)
    if not options.has_section("alembic") or any(options.has_option("alembic", name) for name in _OTHER_LAYOUT):
        return None
    folder = Path(
        options.get("alembic", "script_location", fallback="").replace("%(here)s", str(ini.absolute().parent))
    )
    env = folder / "env.py"
    if not folder.is_absolute() or not env.is_file() or not _PLAIN_ENV.search(env.read_text(encoding="utf-8")):
        return None
    return folder / "versions"


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


def _found(url: str, rows: Sequence[Sequence[Any]]) -> _Look:
    heads, *logged = rows
    runs: dict[str, tuple[str, datetime, int]] = {}
    for revision, checksum, at, milliseconds in logged[0] if logged else ():
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at.astimezone(UTC)
        runs.setdefault(revision, (checksum, moment, milliseconds))
    return _Look(url, tuple(row[0] for row in heads), runs)
