"""The applied revisions whose files are gone, by the texts that the log keeps. A text from the database is code: nothing here runs it
unless it was allowed, and what the log says of it is never used as a path.
"""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from alembic.util import load_python_file
from sqlalchemy.engine import Connection

from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.history import file_text
from migrator.history.log import Log
from migrator.results import Entry


def missing(script: ScriptDirectory, heads: Sequence[str], log: Log, connection: Connection) -> tuple[Entry, ...]:
    """Return the entries of the applied revisions without a file, the newest first. Reads the log for these alone; runs nothing.

    Raises HistoryError for one that the log does not know, or whose text is not the one that ran.
    """
    known = {revision.revision for revision in script.walk_revisions()}
    found: dict[str, Entry] = {}
    parents: dict[str, tuple[str, ...]] = {}
    pending = [head for head in heads if head not in known]
    while pending:
        revision = pending.pop()
        if revision in found:
            continue
        entry = log.last_run(connection, revision)
        if entry is None or entry.source is None:
            raise error("database-unknown-revision", at=(revision,))
        if not log.is_signed(entry):
            raise error("stored-text-unsigned", revision=revision)
        if file_text.checksum(entry.source) != entry.checksum:
            raise error("stored-text-changed", revision=revision)
        found[revision] = entry
        parents[revision] = tuple(parent for parent in _parents(entry.source) if parent not in known)
        pending += parents[revision]
    try:
        order = tuple(TopologicalSorter(parents).static_order())
    except CycleError as circle:
        ids = tuple(circle.args[1][1:])
        raise error(
            "stored-text-unusable", revision=ids[0], reason=f"it comes after itself ({', '.join(ids)})"
        ) from None
    return tuple(found[revision] for revision in reversed(order))


def ahead(entries: Sequence[Entry]) -> MigratorError:
    """Return the error that says which applied revisions have no file; `fields["texts"]` are those that ran."""
    newest = entries[0]
    return error(
        "database-ahead",
        at=(newest.revision,),
        when=newest.when,
        who=newest.who,
        file=newest.file,
        description=newest.description,
        gone=tuple(entry.revision for entry in entries),
        texts={entry.revision: entry.source for entry in entries},
    )


def load(script: ScriptDirectory, entries: Sequence[Entry], folder: Path) -> Mapping[str, str]:
    """Make the texts known to Alembic; return them by revision. Runs each as a module, from a file of its own in an empty `folder`.

    Raises HistoryError for one that does not load here, which is what an older release's environment may lead to.
    """
    texts: dict[str, str] = {}
    for number, entry in enumerate(reversed(entries), start=1):
        text, path = entry.source or "", folder / f"stored_{number}.py"
        path.write_text(text, encoding="utf-8")
        try:
            module = load_python_file(folder, path.name)
            if (says := getattr(module, "revision", None)) != entry.revision:
                raise error("stored-text-unusable", revision=entry.revision, reason=f"it says that it is {says!r}")
            script.revision_map.add_revision(Script(module, entry.revision, path))
        except MigratorError:
            raise
        except (Exception, SystemExit) as problem:
            reason = f"{type(problem).__name__}: {problem}"
            raise error("stored-text-unusable", revision=entry.revision, reason=" ".join(reason.split())) from problem
        texts[entry.revision] = text
    return texts


def _parents(text: str) -> tuple[str, ...]:
    try:
        return file_text.parents_of(text)
    except file_text.Unclear:  # computed: loading it tells, where it may be loaded
        return ()
