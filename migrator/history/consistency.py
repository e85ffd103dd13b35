"""What the log proves about the files: a revision inserted before what is applied, one edited since, one whose file is gone."""

import logging
from collections.abc import Sequence
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy.engine import Connection

from migrator.errors import error
from migrator.history import file_text, stored_texts
from migrator.history.files import Texts
from migrator.history.log import Log
from migrator.results import Entry

_log = logging.getLogger("migrator")


def check_against_log(
    script: ScriptDirectory, heads: Sequence[str], log: Log, connection: Connection, texts: Texts
) -> None:
    """Compare the files with what the log says was run to get to `heads`. Reads only.

    Raises HistoryError for a revision without a file, for heads that overlap, and as `check_applied` does; warns of edited files.
    """
    check_overlap(script, heads)
    if gone := stored_texts.missing(script, heads, log, connection):
        raise stored_texts.ahead(gone)
    check_applied(script, heads, log, connection, texts)


def check_applied(
    script: ScriptDirectory, heads: Sequence[str], log: Log, connection: Connection, texts: Texts
) -> None:
    """Raise HistoryError for a revision inserted before an applied one, which Alembic would never run; warn of edited files.

    Reads only: checksums, and the stored text of an edited file.
    """
    applied = tuple(script.iterate_revisions(tuple(heads), "base", inclusive=True))
    ran = log.last_runs(connection, (revision.revision for revision in applied)) if applied else {}
    for revision in applied:
        entry = ran.get(revision.revision)
        if entry is None or entry.checksum in (None, file_text.checksum(texts[revision.revision])):
            continue
        before = _parents(log.last_run(connection, revision.revision))
        inserted = set() if before is None else set(to_tuple(revision.down_revision, default=())) - set(before)
        for parent in inserted - ran.keys():
            raise error(
                "revision-inserted",
                revision=parent,
                path=Path(script.get_revision(parent).path).name,
                before=revision.revision,
                when=entry.when,
                head=", ".join(script.get_heads()),
            )
        name = Path(revision.path).name
        _log.warning("%s has been edited since it was applied at %s by %s", name, entry.when, entry.who)


def mention_begun(log: Log, connection: Connection) -> None:
    """Warn of a step that has committed a part of itself and not finished, where nothing waits for the lock to see which it is."""
    if (entry := log.begun(connection)) is not None:
        _log.warning(
            "The %s of %s started at %s by %s and has not finished. It is still running, or was interrupted; `%s` resumes it",
            entry.direction,
            entry.revision,
            entry.when,
            entry.who,
            entry.direction,
        )


def check_overlap(script: ScriptDirectory, heads: Sequence[str]) -> None:
    """Raise HistoryError "heads-overlap" if one of the heads comes before another. Reads the files only."""
    if len(heads) < 2:
        return
    known = {revision.revision for revision in script.walk_revisions()} & set(heads)
    for head in known:
        for revision in script.iterate_revisions(head, "base"):
            if revision.revision in known - {head}:
                raise error("heads-overlap", newer=head, older=revision.revision)


def _parents(entry: Entry | None) -> tuple[str, ...] | None:
    """What a text says it comes after; None where it computes that, so that nothing can be concluded from it."""
    try:
        return None if entry is None else file_text.parents_of(entry.source or "")
    except file_text.Unclear:
        return None
