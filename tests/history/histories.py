"""Projects whose history has a version table of its own, and logs as an older release left them."""

from pathlib import Path

from migrator import Migrator
from tests.kit.database import execute
from tests.kit.projects import make_project

_ENV = """import sqlalchemy as sa

from migrator import run_env

run_env(sa.MetaData(), version_table={version_table!r})
"""
# The columns that the first release's log did not have, and its indexes.
_NEWER = ("version_table", "signature")
_INDEXES = ("ix_migration_log_outcome", "ix_migration_log_id")


def history(directory: Path, url: str, *bodies: str, version_table: str = "alembic_version") -> Migrator:
    """A project with these revisions, 001, 002, …, that keeps its heads in that version table of the database."""
    make_project(directory, bodies, env=_ENV.format(version_table=version_table))
    return Migrator(directory / "alembic.ini", database_url=url)


def make_log_older(url: str, *also: str) -> None:
    """Take from the log what an older release did not have, and `also` these columns."""
    columns = (*_NEWER, *also)
    execute(url, *(f"DROP INDEX {name}" for name in _INDEXES))
    execute(url, *(f"ALTER TABLE migration_log DROP COLUMN {name}" for name in columns))


def write_as_an_older_engine(url: str, revision: str, checksum: str, outcome: str = "done", source: str = "") -> None:
    """Add an upgrade to the log as an older engine does, which knows nothing of the newer columns."""
    execute(
        url,
        "INSERT INTO migration_log (revision, description, direction, outcome, started_at, finished_at, duration_ms, checksum, source)"
        f" VALUES ('{revision}', '', 'upgrade', '{outcome}', '2026-01-31 12:00:00', '2026-01-31 12:00:00', 0, '{checksum}', '{source}')",
    )
