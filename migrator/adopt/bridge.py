"""A bridge: the operations that take one database from what it is to a revision, for a person to read before they are run."""

from pathlib import Path
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import api
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import load_python_file
from sqlalchemy.engine import Connection
from sqlalchemy.schema import conv

from migrator.schema.autogenerate import options_for
from migrator.schema.replay import Replay
from migrator.schema.snapshot import plain, reflecting

_IMPORTS = {
    "sqlite.": "from sqlalchemy.dialects import sqlite",
    "postgresql.": "from sqlalchemy.dialects import postgresql",
    "types.": "from migrator import types",
}
_FILE = '''"""Take this database to revision {revision}.

Written by `adopt --fix` from what separates the two. Read it: nothing here has been run. Then: {command}
"""

import sqlalchemy as sa
from alembic import op
{imports}
revision: str = "{revision}"


def upgrade() -> None:
{body}
'''


def operations(connection: Connection, replay: Replay, revision: str) -> str:
    """Return Alembic's operations that make the connected database what it is at `revision`; Python, indented by four. Reads only."""
    metadata = replay.metadata_at(revision)
    options = {**options_for(metadata), "include_name": lambda name, type_, _: type_ != "table" or name in replay.known}
    options.pop("process_revision_directives")
    migration = MigrationContext.configure(connection=connection, opts=options)
    with reflecting():
        script = api.produce_migrations(migration, metadata)
    assert script.upgrade_ops is not None
    _add_unseen(script.upgrade_ops, connection, replay, metadata)
    _add_checks(script.upgrade_ops, connection, metadata)
    text = api.render_python_code(script.upgrade_ops, render_as_batch=True, migration_context=migration)
    kept = [line for line in f"    {text.strip()}".splitlines() if not line.strip().startswith("# ###")]
    return "\n".join(kept).strip("\n")


def write(path: Path, body: str, *, revision: str, command: str) -> None:
    """Write the bridge as a file; it is not one of the history's revisions, and `upgrade` never runs it."""
    imports = "".join(f"{line}\n" for word, line in _IMPORTS.items() if word in body)
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        _FILE.format(revision=revision, command=command, body=body or "    pass", imports=imports), encoding="utf-8"
    )


def load(path: Path) -> ModuleType:
    """Load a bridge that `write` wrote."""
    return load_python_file(path.parent, path.name)


def _add_checks(upgrade: ops.UpgradeOps, connection: Connection, wanted: sa.MetaData) -> None:
    """Autogenerate compares CHECK constraints by name; here what they say counts, and one that differs is made anew."""
    inspector = sa.inspect(connection)
    for table in wanted.sorted_tables:
        if not inspector.has_table(table.name, table.schema):
            continue
        there = {rule["name"]: rule for rule in inspector.get_check_constraints(table.name, table.schema)}
        changed: list[ops.MigrateOperation] = []
        for rule in sorted(
            (c for c in table.constraints if isinstance(c, sa.CheckConstraint)), key=lambda c: str(c.name)
        ):
            found = there.get(str(rule.name))
            if found and (plain(found["sqltext"]) != plain(str(rule.sqltext)) or _unproved(found)):
                changed += [
                    ops.DropConstraintOp(conv(str(rule.name)), table.name, type_="check", schema=table.schema),
                    ops.CreateCheckConstraintOp(
                        conv(str(rule.name)), table.name, str(rule.sqltext), schema=table.schema
                    ),
                ]
        if changed:
            upgrade.ops.append(ops.ModifyTableOps(table.name, changed, schema=table.schema))


def _unproved(found: Any) -> bool:
    return bool(found.get("dialect_options", {}).get("not_valid"))


def _add_unseen(upgrade: ops.UpgradeOps, connection: Connection, replay: Replay, wanted: sa.MetaData) -> None:
    """Indexes that SQLAlchemy does not reflect are not in the metadata either, so that autogenerate cannot miss them."""
    there = {name for found in replay.dialect.unseen_indexes(connection).values() for name, _ in found}
    for table, indexes in wanted.info.get("unseen", {}).items():
        for name, text in indexes:
            if name not in there:
                kind = "UNIQUE INDEX" if text.startswith("unique ") else "INDEX"
                upgrade.ops.append(ops.ExecuteSQLOp(f"CREATE {kind} {name} ON {table} {text.removeprefix('unique ')}"))
