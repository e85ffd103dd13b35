"""What autogenerate and `check` need to know: the engine's types and tables, CHECK constraints by name, the next number."""

from collections.abc import Callable
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

LOG_TABLE = "migration_log"
NameFilter = Callable[[str | None, str, Any], bool]


def options_for(metadata: sa.MetaData) -> dict[str, Any]:
    """Return the options of `context.configure()` under which autogenerate is right on both databases; reads nothing."""
    return {
        "target_metadata": metadata,
        "render_as_batch": True,
        "render_item": _render_item,
        "process_revision_directives": _number,
        "compare_server_default": True,
        "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
    }


def leave_alone(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with the engine's own tables hidden from every comparison; the caller's filter stays in force."""
    theirs: NameFilter | None = options.get("include_name")

    def include_name(name: str | None, type_: str, parent_names: Any) -> bool:
        own = type_ == "table" and name == LOG_TABLE
        return not own and (theirs is None or theirs(name, type_, parent_names))

    return {**options, "include_name": include_name}


def _render_item(type_: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    if type_ == "type" and type(item).__module__ == "migrator.types":
        return f"types.{item!r}"
    return False


def _number(migration: MigrationContext, revision: Any, directives: list[MigrationScript]) -> None:
    """Give a new revision the number after the highest, unless it was given an id, or no revision has a number."""
    assert migration.script is not None
    if migration.opts["revision_context"].command_args["rev_id"] is None:
        for directive in directives:
            directive.rev_id = _next_number(migration.script) or directive.rev_id


def _next_number(script: ScriptDirectory) -> str | None:
    ids = [revision.revision for revision in script.walk_revisions()]
    numbers = [id_ for id_ in ids if id_.isdigit()]
    if ids and not numbers:
        return None
    width = max(map(len, numbers), default=3)
    return f"{max(map(int, numbers), default=0) + 1:0{width}d}"
