"""What the log proves about the files: a revision inserted before what is applied, one edited since, one whose file is gone."""

import logging
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.script import Script, ScriptDirectory
from alembic.util import load_python_file, to_tuple

from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.history import file_text
from migrator.history.files import Texts
from migrator.history.log import begun, latest_runs
from migrator.results import Entry

_log = logging.getLogger("migrator")


def check_against_log(
    script: ScriptDirectory, heads: Sequence[str], entries: Sequence[Entry], texts: MutableMapping[str, str]
) -> None:
    """Compare the files with what the log says was run to get to `heads`; `entries` are newest first. Reads only.

    Raises HistoryError as `restore_missing` and `check_applied` do; warns of edited files.
    """
    restore_missing(script, heads, entries, texts, run_stored=False)
    check_applied(script, heads, entries, texts)


def restore_missing(
    script: ScriptDirectory,
    heads: Sequence[str],
    entries: Sequence[Entry],
    texts: MutableMapping[str, str],
    *,
    run_stored: bool,
) -> tuple[str, ...]:
    """Return the applied revisions without a file, which Alembic knows from then on by their text in the log. Writes nothing.

    Raises HistoryError for such a revision unless `run_stored`, for one that the log does not know, and for heads that overlap.
    """
    _check_overlap(script, heads)
    gone = tuple(_gone(script, heads, latest_runs(entries)))
    if gone and not run_stored:
        raise _ahead(gone)
    if gone:  # else no place for temporary files is needed, which a read-only container does not have
        with TemporaryDirectory() as folder:
            for entry in reversed(gone):
                path = Path(folder, f"{entry.revision}.py")
                path.write_text(entry.source or "", encoding="utf-8")
                script.revision_map.add_revision(Script(load_python_file(folder, path.name), entry.revision, path))
                texts[entry.revision] = entry.source or ""
    return tuple(entry.revision for entry in gone)


def check_applied(script: ScriptDirectory, heads: Sequence[str], entries: Sequence[Entry], texts: Texts) -> None:
    """Raise HistoryError for a revision inserted before an applied one, which Alembic would never run; warn of edited files.

    Reads only.
    """
    ran = latest_runs(entries)
    for revision in script.iterate_revisions(tuple(heads), "base", inclusive=True):
        entry = ran.get(revision.revision)
        if entry is None or entry.source is None or entry.checksum == file_text.checksum(texts[revision.revision]):
            continue
        before = _parents(entry.source)
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


def mention_begun(entries: Sequence[Entry]) -> None:
    """Warn of a step that has committed a part of itself and not finished, where nothing waits for the lock to see which it is."""
    if (entry := begun(entries)) is not None:
        _log.warning(
            "The %s of %s started at %s by %s and has not finished. It is still running, or was interrupted; `%s` resumes it",
            entry.direction,
            entry.revision,
            entry.when,
            entry.who,
            entry.direction,
        )


def _check_overlap(script: ScriptDirectory, heads: Sequence[str]) -> None:
    if len(heads) < 2:
        return
    known = {revision.revision for revision in script.walk_revisions()} & set(heads)
    for head in known:
        for revision in script.iterate_revisions(head, "base"):
            if revision.revision in known - {head}:
                raise error("heads-overlap", newer=head, older=revision.revision)


def _ahead(gone: Sequence[Entry]) -> MigratorError:
    first = gone[0]
    return error(
        "database-ahead",
        at=(first.revision,),
        when=first.when,
        who=first.who,
        file=first.file,
        description=first.description,
        gone=tuple(entry.revision for entry in gone),
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
            raise error("database-unknown-revision", at=(revision,))
        if file_text.checksum(entry.source) != entry.checksum:
            raise error("stored-text-changed", revision=revision)
        yield entry
        pending += [parent for parent in _parents(entry.source) or () if parent not in known]


def _parents(text: str) -> tuple[str, ...] | None:
    """What a text says it comes after; None where it computes that, so that nothing can be concluded from it."""
    try:
        return file_text.parents_of(text)
    except file_text.Unclear:
        return None
