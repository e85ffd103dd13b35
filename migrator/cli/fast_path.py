"""The fast answer to `upgrade` and `status` with nothing to do, and to `current`: files read as text, and one look at the database.

It loads neither Alembic nor SQLAlchemy, which take most of such a command's time. If anything is not plain, it answers None and leaves the
command to the engine: so an answer can be missing, but it is never different. A file that was not loaded may be broken, unless it is
the one that ran; the log's checksums tell.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from migrator import dialects, versions
from migrator.dialects.look import Look
from migrator.history import file_text, headers
from migrator.history.headers import Header
from migrator.results import Report, Revision, Status
from migrator.settings import Settings, read_ini

if TYPE_CHECKING:
    from migrator.api import Migrator

_PLAIN_ENV = re.compile(r"^run_env\([\w.]+\)\s*\Z", re.M)  # no options, so the version table is the usual one
_OTHER_LAYOUT = ("version_locations", "recursive_version_locations", "sourceless")
_HEADS = "SELECT version_num FROM alembic_version"
_RUNS = """
    SELECT revision, checksum, finished_at, duration_ms, outcome FROM migration_log
    WHERE direction = 'upgrade' AND outcome = 'done' OR outcome = 'begun' ORDER BY id DESC
"""


class _Run(NamedTuple):
    """A revision's last upgrade, from the log."""

    checksum: str
    finished_at: datetime
    milliseconds: int


@dataclass(frozen=True)
class _Found:
    """What one look at the database found: the heads, and each revision's last run."""

    url: str
    heads: tuple[str, ...]
    runs: dict[str, _Run]


class FastPath:
    """A `Migrator` that first tries the fast way. It passes everything else on, and only then loads the engine."""

    def __init__(self, config: Path, **settings: Any) -> None:
        self._config = config
        self._arguments = settings
        self.settings = Settings.load(config.absolute(), **settings)
        self._url: str | None = None

    @cached_property
    def full(self) -> "Migrator":
        """The engine itself."""
        versions.check()
        from migrator.api import Migrator

        return Migrator(self._config, **self._arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.full, name)

    @property
    def url(self) -> str:
        """As `Migrator.url`."""
        return self._url or self.full.url

    def current(self) -> tuple[str, ...]:
        """As `Migrator.current()`."""
        found = None if _versions(self._config) is None else self._look(_HEADS)
        return self.full.current() if found is None else found.heads

    def status(self) -> Status:
        """As `Migrator.status()`."""
        return self._status() or self.full.status()

    def upgrade(self, revision: str = "head", **allowed: bool) -> Report:
        """As `Migrator.upgrade()`."""
        status = self._status() if revision == "head" else None
        if status is None or status.at != (status.head,):
            return self.full.upgrade(revision, **allowed)
        return Report(status.url, status.at, status.at)

    def _status(self) -> Status | None:
        """Return the status of a database at its head whose every file is the one that ran; else None."""
        versions = _versions(self._config)
        try:
            line = () if versions is None else headers.read(versions)
        except file_text.Unclear:
            return None
        found = self._look(_HEADS, _RUNS) if line and self.settings.log else None
        if found is None or found.heads != (line[-1].revision,) or not all(_ran(header, found) for header in line):
            return None
        revisions = tuple(_revision(header, found) for header in line)
        return Status(found.url, found.heads, line[-1].revision, revisions)

    def _look(self, *queries: str) -> _Found | None:
        url = self.settings.database_url
        scheme = url.partition("://")[0].partition("+")[0]
        look: Look | None = None
        if scheme in dialects.NAMES:
            look = dialects.part(scheme, "look").look(url, self.settings.root, queries)
        found = None if look is None else _read(look)
        self._url = None if found is None else found.url
        return found


def _ran(file: Header, found: _Found) -> bool:
    return file.revision in found.runs and found.runs[file.revision].checksum == file.checksum


def _revision(file: Header, found: _Found) -> Revision:
    run = found.runs[file.revision]
    return Revision(file.revision, file.description, file.path, True, run.finished_at, run.milliseconds / 1000)


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


def _read(look: Look) -> _Found | None:
    heads, *logged = look.answers
    runs: dict[str, _Run] = {}
    for revision, checksum, at, milliseconds, outcome in logged[0] if logged else ():
        if outcome == "begun":  # a step that has not ended: the engine says what that means
            return None
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at.astimezone(UTC)
        runs.setdefault(revision, _Run(checksum, moment, milliseconds))
    return _Found(look.url, tuple(row[0] for row in heads), runs)
