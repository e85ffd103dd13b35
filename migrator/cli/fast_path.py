"""The fast answer to `upgrade` and `status` with nothing to do, and to `current`: files read as text, and one look at the database.

It loads neither Alembic nor SQLAlchemy, which take most of such a command's time. If anything is not plain, it answers None and leaves the
command to the engine: so an answer can be missing, but it is never different. No file is loaded: each is the one that ran, which the
log's checksums tell, or one that the log does not know, because it ran before there was a log, and that compiles.
"""

import warnings
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from migrator import dialects, versions
from migrator.cli.plain_env import Place, place_of
from migrator.dialects.look import Look
from migrator.history import file_text, headers, log_query
from migrator.history.headers import Header
from migrator.results import Report, Revision, Status
from migrator.settings import Settings, read_ini

if TYPE_CHECKING:
    from migrator.api import Migrator

_OTHER_LAYOUT = ("version_locations", "recursive_version_locations", "sourceless")
_HEADS = "SELECT version_num FROM alembic_version"
_OWN = "version_table = 'alembic_version'"


class _Run(NamedTuple):
    """A revision's last upgrade, from the log."""

    checksum: str
    finished_at: datetime
    milliseconds: int


class _Project(NamedTuple):
    """Where the revision files are, and the database."""

    versions: Path
    place: Place


@dataclass(frozen=True)
class _Found:
    """What one look at the database found: the heads, and the last runs of the revisions that were asked for."""

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
        project = self._project()
        found = None if project is None else _look(project.place, _HEADS)
        self._url = None if found is None else found.url
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
        project = self._project() if self.settings.log else None
        try:
            line = () if project is None else headers.read(project.versions)
        except file_text.Unclear:
            return None
        own = _questions(log_query.quoted(self.settings.log_table, '"'), line)
        found = _look(project.place, _HEADS, *own) if project is not None and line else None
        self._url = None if found is None else found.url
        if found is None or found.heads != (line[-1].revision,) or not all(_ran(header, found) for header in line):
            return None
        revisions = tuple(_revision(header, found) for header in line)
        head = line[-1].revision
        return Status(found.url, found.heads, head, revisions, (head,))

    def _project(self) -> "_Project | None":
        """Return where the revisions and the database are; None where alembic.ini and env.py do not say it plainly."""
        options = read_ini(self._config)
        if not options.has_section("alembic") or any(options.has_option("alembic", name) for name in _OTHER_LAYOUT):
            return None
        location = options.get("alembic", "script_location", fallback="")
        folder = Path(location.replace("%(here)s", str(self.settings.root))).resolve()
        if not location or ":" in location or "%" in str(folder) or not (folder / "env.py").is_file():
            return None
        place = place_of(folder / "env.py", options, self.settings)
        return None if place is None else _Project(folder / "versions", place)


def _look(place: Place, *queries: str) -> _Found | None:
    scheme = place.url.partition("://")[0].partition("+")[0]
    if scheme not in dialects.NAMES:
        return None
    look: Look | None = dialects.part(scheme, "look").look(place.url, place.folder, queries)
    return None if look is None else _read(look, place.shown or look.url)


def _ran(file: Header, found: _Found) -> bool:
    """Whether a file is the one that ran. Of one that ran before there was a log all that can be asked is whether it is a program."""
    if file.revision in found.runs:
        return found.runs[file.revision].checksum == file.checksum
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(file.text, file.path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _revision(file: Header, found: _Found) -> Revision:
    run = found.runs.get(file.revision)
    if run is None:
        return Revision(file.revision, file.description, file.path, True)
    return Revision(file.revision, file.description, file.path, True, run.finished_at, run.milliseconds / 1000)


def _questions(log: str, line: tuple[Header, ...]) -> tuple[str, str]:
    """The last runs of these files; and whether the log has what only the engine can judge."""
    runs = log_query.newest(log, _OWN, [log_query.quoted(header.revision) for header in line])
    begun = f"SELECT * FROM (SELECT 1 FROM {log} WHERE {_OWN} AND outcome = 'begun' LIMIT 1) AS begun"
    older = f"SELECT * FROM (SELECT 1 FROM {log} WHERE version_table IS NULL LIMIT 1) AS older"
    return runs, f"{begun} UNION ALL {older}"


def _read(look: Look, url: str) -> _Found | None:
    heads, *logged = look.answers
    if heads is None:
        return None
    at = tuple(row[0] for row in heads)
    if None in at or len(set(at)) < len(at):
        return None
    runs: dict[str, _Run] = {}
    if logged:
        ran, others = logged
        if others:  # a step that has not ended, or an entry of an older release
            return None
        try:
            for _, revision, checksum, finished, milliseconds, *_ in ran or ():
                runs[revision] = _Run(checksum, log_query.moment(finished), int(milliseconds))
        except (ValueError, TypeError):  # the engine says which
            return None
    return _Found(url, at, runs)
