"""What the engine and the fast path ask of the log in the same words. Loads no SQLAlchemy.

Each question reads a few index entries, however long the log is.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

RAN = ("id", "revision", "checksum", "finished_at", "duration_ms", "os_user", "host", "git_commit")
"""The columns that are read of a revision's last run: not its text."""


def newest(log: str, own: str, revisions: Sequence[str], *, direction: str = "upgrade") -> str:
    """Return the SQL for the newest entry that is done of each revision: one look into the index a revision.

    All is given as SQL: `log` the table's name, `own` the condition for the entries of one history, `revisions` values.
    """
    columns = ", ".join(f"l.{name}" for name in RAN)
    return f"""
        WITH wanted (revision) AS (VALUES {", ".join(f"({revision})" for revision in revisions)})
        SELECT {columns} FROM wanted AS w JOIN {log} AS l ON l.id = (
            SELECT max(id) FROM {log} WHERE {own} AND outcome = 'done' AND direction = '{direction}' AND revision = w.revision)
    """


def newest_unindexed(log: str, *, direction: str = "upgrade") -> str:
    """Return the SQL for the same of all revisions, for a log of an older release, which has no index: it is read once."""
    return f"""
        SELECT {", ".join(RAN)} FROM {log} WHERE id IN (
            SELECT max(id) FROM {log} WHERE outcome = 'done' AND direction = '{direction}' GROUP BY revision)
    """


def quoted(text: str, mark: str = "'") -> str:
    """Return a text as SQL writes it, or a name if `mark` is a double quote."""
    return mark + text.replace(mark, mark * 2) + mark


def moment(value: object) -> datetime:
    """Return a time as a driver gives it, a timestamp or its text, in UTC. Raises ValueError if it is none."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, datetime):
        raise ValueError(f"{value!r} is no time")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
