"""The revision files: each loaded once, then checked together for duplicates, missing parents and circles.

Alembic warns of a duplicate id, raises KeyError for a missing parent, and names no file when there are two heads. Here each of them is
one error that names the files.
"""

import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import wraps
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from alembic.runtime.migration import RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap
from alembic.util import CommandError

from migrator import alembic_private
from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.history.file_text import ID_LENGTH, source

Texts = Mapping[str, str]
"""Each revision's text by its id, as it was when the file was loaded: what runs is what the log keeps."""

_GENERATORS = (inspect.isgeneratorfunction, inspect.isgenerator, inspect.isasyncgenfunction, inspect.isasyncgen)


def load(script: ScriptDirectory, *, one_head: bool = False) -> dict[str, str]:
    """Load every revision file, each once, and check them together; return their texts by id. `one_head` forbids several heads.

    Imports the files, writes nothing. Raises HistoryError for whatever is wrong with any of them, or between them.
    """
    loaded: list[Script] = []
    texts: dict[str, str] = {}
    for folder, paths in alembic_private.version_files(script):
        if not folder.is_dir():
            raise error("versions-missing", path=folder)
        for path in paths:
            try:
                # The text first: a deploy may replace the file. And Python does not mind how a comment is encoded; the log does.
                text = source(path) if path.suffix == ".py" else ""
                found = alembic_private.script_from(script, path.resolve())
            except (Exception, SystemExit) as problem:
                raise _does_not_load(problem, path) from problem
            if found is not None:
                loaded.append(found)
                texts.setdefault(found.revision, text)
    check(loaded, one_head=one_head)
    script.revision_map = RevisionMap(lambda: iter(loaded))
    return texts


def check(scripts: Sequence[Script], *, one_head: bool = False) -> None:
    """Raise HistoryError for what is wrong between the files. Several heads are wrong only where one is asked for, by `one_head`."""
    files = _by_id(scripts)
    _check_parents(files)
    _check_circles(files)
    if one_head:
        check_heads(scripts)


def followed(step: Any, after: Callable[[], None]) -> Any:
    """Return the same step of Alembic's, which calls `after` when the revision's own function has returned, before the version row."""
    function, same = step.migration_fn, copy(step)

    @wraps(function)  # whose name Alembic prints
    def called(**options: Any) -> None:
        function(**options)
        after()

    same.migration_fn = called
    return same


def whole(step: RevisionStep) -> RevisionStep:
    """Return the same step, which now does all that it does when it is called, or fails.

    Raises HistoryError "revision-not-run" for a function of which Python runs nothing then; the step does so for one that returns such a
    thing.
    """
    revision, function = step.revision, step.migration_fn
    where = {"revision": revision.revision, "path": Path(revision.path).name}
    where["direction"] = "upgrade" if step.is_upgrade else "downgrade"
    _refuse_unrun(function, where)

    @wraps(function)
    def called(**options: Any) -> None:
        _refuse_unrun(function(**options), where)

    same = copy(step)
    same.migration_fn = called
    return same


def _refuse_unrun(found: Any, where: Mapping[str, str]) -> None:
    if inspect.iscoroutinefunction(found) or inspect.isawaitable(found):
        kind = "a coroutine"
    elif any(is_one(found) for is_one in _GENERATORS):
        kind = "a generator"
    else:
        return
    if inspect.iscoroutine(found):
        found.close()  # else Python warns that nobody awaited it
    raise error("revision-not-run", kind=kind, **where)


def _does_not_load(problem: BaseException, path: Path) -> MigratorError:
    if isinstance(problem, SyntaxError):
        return error("revision-does-not-load", path=path, line=problem.lineno, error=problem.msg)
    file = str(path.resolve())
    lines = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == file]
    text = str(problem) if isinstance(problem, CommandError) else f"{type(problem).__name__}: {problem}"
    return error("revision-does-not-load", path=path, line=lines[-1] if lines else "unknown", error=text)


def _by_id(scripts: Sequence[Script]) -> dict[str, Script]:
    files: dict[str, Script] = {}
    for script in scripts:
        id_, path = script.revision, Path(script.path)
        if id_ in files:
            raise error("revision-duplicate", revision=id_, files=(Path(files[id_].path).name, path.name))
        if len(id_) > ID_LENGTH:
            raise error("revision-too-long", revision=id_, path=path.name, length=len(id_))
        files[id_] = script
    return files


def _check_parents(files: Mapping[str, Script]) -> None:
    for id_, script in files.items():
        for parent in alembic_private.parents(script):
            if parent not in files:
                raise error("parent-missing", revision=id_, path=Path(script.path).name, parent=parent)


def _check_circles(files: Mapping[str, Script]) -> None:
    try:
        TopologicalSorter({id_: alembic_private.parents(script) for id_, script in files.items()}).prepare()
    except CycleError as found:
        circle = tuple(found.args[1][1:])
        names = tuple(Path(files[id_].path).name for id_ in circle)
        raise error("history-cycle", revisions=circle, files=names) from None


def check_heads(scripts: Iterable[Script]) -> None:
    """Raise HistoryError, with the files' names, unless there is one head at most."""
    files = {script.revision: script for script in scripts}
    parents = {parent for script in files.values() for parent in alembic_private.parents(script)}
    heads = {id_: Path(script.path).name for id_, script in files.items() if id_ not in parents}
    if len(heads) > 1:
        raise error(
            "heads-several",
            count=len(heads),
            files=tuple(f"{id_} ({name})" for id_, name in heads.items()),
            heads=tuple(heads),
            first=next(iter(heads)),
            last=list(heads)[-1],
            last_path=list(heads.values())[-1],
        )
