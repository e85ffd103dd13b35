"""Where a database is: every revision file, whether it is applied, and what the log knows of it."""

from collections.abc import Sequence
from pathlib import Path

from alembic.script import ScriptDirectory

from migrator.history import consistency, files
from migrator.history.log import latest_runs
from migrator.results import Entry, Planned, Revision, Status
from migrator.runner import plan


def all_revisions(script: ScriptDirectory) -> tuple[Planned, ...]:
    """Return all revisions from base to head. Imports the files; raises HistoryError for whatever is wrong with them."""
    plan.load(script)
    line = tuple(script.walk_revisions())[::-1]
    return tuple(Planned(f.revision, "upgrade", " ".join(f.doc.split()), Path(f.path)) for f in line)


def status(script: ScriptDirectory, heads: tuple[str, ...], entries: Sequence[Entry], *, url: str) -> Status:
    """Return where a database with these heads and this log is; reads the files only.

    Raises HistoryError for a database ahead of the files, which has no place among them.
    """
    found = all_revisions(script)
    with consistency.weighed(script, heads, entries):
        consistency.mention_begun(entries)
    applied = {revision.revision for revision in script.iterate_revisions(heads, "base", inclusive=True)}
    ran = latest_runs(entries)
    revisions = tuple(_revision(file, file.revision in applied, ran.get(file.revision)) for file in found)
    return Status(url, heads, revisions[-1].revision if revisions else None, revisions)


def _revision(file: Planned, applied: bool, ran: Entry | None) -> Revision:
    if ran is None or not applied:
        return Revision(file.revision, file.description, file.path, applied)
    return Revision(
        file.revision,
        file.description,
        file.path,
        applied,
        applied_at=ran.finished_at,
        seconds=ran.duration_ms / 1000,
        edited=ran.checksum != files.checksum(files.source(file.path)),
    )
