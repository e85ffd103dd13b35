"""What the log proves about the files: a revision slipped in behind what is applied, one edited since, one whose file is gone."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.script import Script, ScriptDirectory
from alembic.util import load_python_file, to_tuple

from migrator.dialects.dialect import log
from migrator.errors.tree import HistoryError
from migrator.history import files
from migrator.history.log import begun, latest_runs
from migrator.results import Entry


@contextmanager
def weighed(
    script: ScriptDirectory, heads: Sequence[str], entries: Sequence[Entry], *, run_stored: bool = False
) -> Iterator[None]:
    """Compare the files with what the log says was run to get to `heads`; `entries` are newest first. Writes nothing to the database.

    Raises HistoryError for a revision inserted behind an applied one, which Alembic would never run, and for a head without a file,
    unless `run_stored` says that its text in the log may be run: then Alembic knows it inside the block. Warns of edited files.
    """
    _check_overlap(script, heads)
    ran = latest_runs(entries)
    gone = tuple(_gone(script, heads, ran))
    if not gone:
        _check_applied(script, heads, ran)
        yield
        return
    if not run_stored:
        raise _ahead(gone)
    with TemporaryDirectory() as folder:
        for entry in reversed(gone):
            path = Path(folder, f"{entry.revision}.py")
            path.write_text(entry.source or "", encoding="utf-8")
            script.revision_map.add_revision(Script(load_python_file(folder, path.name), entry.revision, path))
        yield


def _check_overlap(script: ScriptDirectory, heads: Sequence[str]) -> None:
    if len(heads) < 2:
        return
    known = {revision.revision for revision in script.walk_revisions()} & set(heads)
    for head in known:
        for revision in script.iterate_revisions(head, "base"):
            if revision.revision in known - {head}:
                raise HistoryError("heads-overlap", newer=head, older=revision.revision)


def mention_begun(entries: Sequence[Entry]) -> None:
    """Warn of a step that has committed a part of itself and not ended, where nobody waits for the lock to see which it is."""
    if (entry := begun(entries)) is not None:
        said = "%s has begun its %s (%s, %s) and not ended: it is at work, or was interrupted and `%s` goes on with it"
        log.warning(said, entry.revision, entry.direction, entry.when, entry.who, entry.direction)


def _check_applied(script: ScriptDirectory, heads: Sequence[str], ran: dict[str, Entry]) -> None:
    for revision in script.iterate_revisions(tuple(heads), "base", inclusive=True):
        entry = ran.get(revision.revision)
        if entry is None or entry.source is None or entry.checksum == files.checksum(_text(revision)):
            continue
        before = _parents(entry.source)
        slipped_in = set() if before is None else set(to_tuple(revision.down_revision, default=())) - set(before)
        for parent in slipped_in - ran.keys():
            raise HistoryError(
                "revision-inserted",
                revision=parent,
                path=Path(script.get_revision(parent).path).name,
                before=revision.revision,
                when=entry.when,
                head=", ".join(script.get_heads()),
            )
        log.warning(
            "%s has been edited since it was applied at %s by %s", Path(revision.path).name, entry.when, entry.who
        )


def _ahead(gone: Sequence[Entry]) -> HistoryError:
    first = gone[0]
    return HistoryError(
        "database-ahead",
        at=first.revision,
        when=first.when,
        who=first.who,
        file=first.file,
        description=first.description,
        gone=", ".join(entry.revision for entry in gone),
        texts={entry.revision: entry.source for entry in gone},
    )


def _gone(script: ScriptDirectory, heads: Iterable[str], ran: dict[str, Entry]) -> Iterator[Entry]:
    """The revisions without a file, from the heads down to the first that has one."""
    known = {revision.revision for revision in script.walk_revisions()}
    pending = [head for head in heads if head not in known]
    while pending:
        revision = pending.pop()
        entry = ran.get(revision)
        if entry is None or entry.source is None:
            raise HistoryError("database-unknown-revision", at=revision)
        if files.checksum(entry.source) != entry.checksum:
            raise HistoryError("stored-text-changed", revision=revision)
        yield entry
        pending += [parent for parent in _parents(entry.source) or () if parent not in known]


def _text(revision: Script) -> str:
    return files.source(Path(revision.path))


def _parents(text: str) -> tuple[str, ...] | None:
    """What a text says it comes after; None where it computes that, so that nothing can be concluded from it."""
    try:
        return files.parents_of(text)
    except files.Unclear:
        return None
