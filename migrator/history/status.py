"""Where a database is: every revision file, whether it is applied, and what the log knows of it."""

from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from migrator.history import consistency, file_text, files
from migrator.history.log import Log
from migrator.results import Planned, Ran, Revision, Status


def all_revisions(script: ScriptDirectory) -> tuple[Planned, ...]:
    """Return all revisions from base to head, of a script directory whose files are loaded."""
    line = tuple(script.walk_revisions())[::-1]
    return tuple(Planned(f.revision, "upgrade", " ".join(f.doc.split()), Path(f.path)) for f in line)


def status(script: ScriptDirectory, heads: tuple[str, ...], log: Log, connection: Connection, *, url: str) -> Status:
    """Return where a database with these heads and this log is. Imports the files, writes nothing.

    Raises HistoryError for whatever is wrong with the files, and for a database ahead of them, which has no place among them.
    """
    texts = files.load(script)
    found = all_revisions(script)
    consistency.check_against_log(script, heads, log, connection, texts)
    consistency.mention_begun(log, connection)
    applied = {revision.revision for revision in script.iterate_revisions(heads, "base", inclusive=True)}
    ran = log.last_runs(connection, applied)
    revisions = tuple(_revision(file, file.revision in applied, ran.get(file.revision), texts) for file in found)
    ends = tuple(script.get_heads())
    return Status(url, heads, ends[0] if len(ends) == 1 else None, revisions, ends)


def _revision(file: Planned, applied: bool, ran: Ran | None, texts: files.Texts) -> Revision:
    if ran is None or not applied:
        return Revision(file.revision, file.description, file.path, applied)
    return Revision(
        file.revision,
        file.description,
        file.path,
        applied,
        applied_at=ran.finished_at,
        seconds=ran.duration_ms / 1000,
        edited=ran.checksum != file_text.checksum(texts[file.revision]),
    )
