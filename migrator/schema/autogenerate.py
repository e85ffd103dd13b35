"""What autogenerate and `check` need to know: the engine's types and tables, CHECK constraints by name, the next number."""

import logging
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import to_list

from migrator import versions
from migrator.errors import error
from migrator.history import file_text

_log = logging.getLogger("migrator")
NameFilter = Callable[[str | None, str, Any], bool]


def options_for(metadata: sa.MetaData) -> dict[str, Any]:
    """Return the options of `context.configure()` under which autogenerate is right on both databases; reads nothing."""
    return {
        "target_metadata": metadata,
        "include_schemas": any(table.schema for table in metadata.tables.values()),
        "render_as_batch": True,
        "render_item": _render_item,
        "process_revision_directives": _number,
        "compare_server_default": True,
        "autogenerate_plugins": ["alembic.autogenerate.*", *versions.check_plugins()],
    }


def hide_unowned_tables(
    options: dict[str, Any],
    script: ScriptDirectory,
    owned: Collection[str],
    *,
    log: str,
    undescribed: Callable[[], Collection[str]] = tuple,
) -> dict[str, Any]:
    """Return the options with every table hidden from comparisons that the project does not own: autogenerate would drop it.

    It owns the tables of the models, those that a revision mentions, and those in `owned`. The engine's `log` is never compared. The
    caller's filter stays in force. A warning names each hidden table once. What no model can describe is hidden too, unless one does;
    `undescribed` returns those tables, case-folded.
    """
    theirs: NameFilter | None = options.get("include_name")
    models = _model_tables(options.get("target_metadata"))
    mentioned: list[str] = []
    warned: set[str] = set()
    virtual: list[Collection[str]] = []

    def include_name(name: str | None, type_: str, parent_names: Any) -> bool:
        if theirs is not None and not theirs(name, type_, parent_names):
            return False
        if type_ != "table" or name is None:
            return True
        if name == log:
            return False
        if name in owned or parent_names.get("schema_qualified_table_name", name) in models:
            return True
        virtual[:] = virtual or [undescribed()]
        if name.casefold() in virtual[0]:
            return False
        if not mentioned:
            mentioned.append("\n".join(file_text.source(Path(found.path)) for found in script.walk_revisions()))
        ours = re.search(rf"\b{re.escape(name)}\b", mentioned[0]) is not None
        if not ours and name not in warned:
            warned.add(name)
            _log.warning("The table %s is left alone: no model or revision mentions it", name)
        return ours

    return {**options, "include_name": include_name}


def keep_directives(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options for `check`, which needs the directive that a hook takes out of the list where there is nothing to write.

    Alembic's manual has such a hook, "Don't Generate Empty Migrations", and Alembic's own `check` then ends in an IndexError.
    """
    theirs = options.get("process_revision_directives")
    if theirs is None:
        return options

    def hook(migration: MigrationContext, revision: Any, directives: list[MigrationScript]) -> None:
        given = directives[:]
        theirs(migration, revision, directives)
        directives[:] = directives or given

    return {**options, "process_revision_directives": hook}


def _model_tables(metadata: Any) -> set[str]:
    return {name for found in to_list(metadata, default=[]) for name in found.tables}


def _render_item(type_: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    if type_ == "type" and type(item).__module__ == "migrator.types":
        return f"types.{item!r}"
    return False


def _number(migration: MigrationContext, revision: Any, directives: list[MigrationScript]) -> None:
    """Give a new revision the number after the highest, unless it was given an id, or no revision has a number.

    Raises HistoryError for an id that cannot be used: Alembic would write the file first and find out then.
    """
    assert migration.script is not None
    given = migration.opts["revision_context"].command_args["rev_id"]
    files = {found.revision: Path(found.path).name for found in migration.script.walk_revisions()}
    if given in files:
        raise error("revision-id-taken", revision=given, path=files[given])
    if given is None:
        for directive in directives:
            directive.rev_id = _next_number(list(files)) or directive.rev_id
    elif len(given) > file_text.ID_LENGTH:
        raise error("revision-too-long", revision=given, path="the new file", length=len(given))


def _next_number(ids: list[str]) -> str | None:
    numbers = [id_ for id_ in ids if id_.isdigit()]
    if ids and not numbers:
        return None
    width = max(map(len, numbers), default=3)
    return f"{max(map(int, numbers), default=0) + 1:0{width}d}"
