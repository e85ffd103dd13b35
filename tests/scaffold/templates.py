"""Populated databases, each made once a run and then copied: a file for SQLite, a template for PostgreSQL."""

import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from migrator import Migrator
from tests.kit import ROOT
from tests.kit.postgres import Server
from tests.scaffold.population import FEW, populate


@dataclass(frozen=True)
class Files:
    """SQLite databases in one directory, created and dropped as on a server."""

    directory: Path

    def create_database(self, *, template: str | None = None) -> str:
        """A URL of a database under a new name: one that does not exist yet, or a copy of the one at `template`."""
        path = self.directory / f"test_{uuid.uuid4().hex}.db"
        if template is not None:
            shutil.copyfile(str(make_url(template).database), path)
        return f"sqlite:///{path}"

    def drop_database(self, url: str) -> None:
        Path(str(make_url(url).database)).unlink(missing_ok=True)


@dataclass(frozen=True)
class Templates:
    """The populated databases of one dialect, by revision."""

    host: Server | Files
    _made: dict[tuple[str, bool], str] = field(default_factory=dict)

    def copy(self, revision: str, *, full: bool = False) -> str:
        """The URL of a new database at the revision, populated with a few rows or all of them; the caller drops it."""
        if (revision, full) not in self._made:
            self._made[revision, full] = self._make(revision, full=full)
        return self.host.create_database(template=self._made[revision, full])

    def drop(self, url: str) -> None:
        self.host.drop_database(url)

    def _make(self, revision: str, *, full: bool) -> str:
        url = self.host.create_database()
        Migrator(ROOT / "alembic.ini", database_url=url).upgrade(revision)
        # No connection may stay open, or PostgreSQL will not take the database for a template.
        engine = create_engine(url, poolclass=NullPool)
        with engine.begin() as connection:
            populate(connection, **({} if full else FEW))
        return url
