"""A bridge: the operations that take one database from what it is to a revision, for the user to read before they are run."""

import re
from collections.abc import Collection
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

from migrator.dialects.expression import plain
from migrator.errors import error
from migrator.errors.program import program
from migrator.results.adoption import Adoption
from migrator.schema.autogenerate import options_for
from migrator.schema.replay import Replay
from migrator.schema.snapshot import reflecting

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


def operations(connection: Connection, replay: Replay, revision: str, differing: Collection[str]) -> str:
    """Return Alembic's operations that make the connected database what it is at `revision`; Python, indented by four. Reads only.

    `differing` are the tables to compare; the others are known to be the same.
    """
    metadata = replay.metadata_at(revision, differing)
    ours = replay.known_tables.intersection(differing)
    options = {
        **options_for(metadata),
        "include_name": lambda name, type_, _: type_ != "table" or name in ours,
        "include_object": lambda it, name, type_, *_: type_ != "table" or name in ours,
    }
    options.pop("process_revision_directives")
    migration = MigrationContext.configure(connection=connection, opts=options)
    with reflecting():
        script = api.produce_migrations(migration, metadata)
    assert script.upgrade_ops is not None
    _add_unseen(script.upgrade_ops, connection, replay, metadata)
    _add_checks(script.upgrade_ops, connection, replay, metadata)
    text = api.render_python_code(script.upgrade_ops, render_as_batch=True, migration_context=migration)
    kept = [line for line in f"    {text.strip()}".splitlines() if not line.strip().startswith("# ###")]
    return "\n".join(kept).strip("\n")


def write_for(connection: Connection, replay: Replay, found: Adoption) -> Path:
    """Write the file that takes the database to the nearest revision, and return where it is. Reads the database only."""
    revision = found.verdict.best.revision
    path = Path(replay.script.dir, "bridges", f"to_{revision}.py")
    command = f"{program()} adopt --bridge {path}"
    differing = {difference.table for difference in found.verdict.best.differences}
    body = operations(connection, replay, revision, differing)
    write(path, body, revision=revision, command=command, dialect=replay.dialect.name)
    return path


def write(path: Path, body: str, *, revision: str, command: str, dialect: str) -> None:
    """Write the bridge as a file; it is not one of the history's revisions, and `upgrade` never runs it."""
    imports = imports_for(body, dialect)
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        _FILE.format(revision=revision, command=command, body=body or "    pass", imports=imports), encoding="utf-8"
    )


def imports_for(body: str, dialect: str) -> str:
    """Return the import lines that generated operations need besides `sa` and `op`. `dialect` is the database's name in SQLAlchemy."""
    lines = {f"{dialect}.": f"from sqlalchemy.dialects import {dialect}\n", "types.": "from migrator import types\n"}
    return "".join(line for word, line in lines.items() if re.search(rf"(?<![\w.]){re.escape(word)}", body))


def load(path: Path) -> ModuleType:
    """Load a bridge that `write` wrote."""
    return load_python_file(path.parent, path.name)


def target_of(path: Path) -> str:
    """Return the revision that a bridge leads to; HistoryError where the file is none."""
    revision = getattr(load(path), "revision", None) if path.is_file() else None
    if not isinstance(revision, str):
        raise error("bridge-unusable", path=path)
    return revision


def _add_checks(upgrade: ops.UpgradeOps, connection: Connection, replay: Replay, wanted: sa.MetaData) -> None:
    """Autogenerate compares CHECK constraints by name; here what they say counts, and one that differs is created again."""
    dialect = replay.dialect
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
            if found and (plain(found["sqltext"], dialect) != plain(str(rule.sqltext), dialect) or _unproved(found)):
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
    there = {index.name for found in replay.dialect.unseen_indexes(connection).values() for index in found}
    for table, indexes in wanted.info.get("unseen", {}).items():
        for index in indexes:
            if index.name not in there:
                kind = "UNIQUE INDEX" if index.definition.startswith("unique ") else "INDEX"
                rest = index.definition.removeprefix("unique ")
                upgrade.ops.append(ops.ExecuteSQLOp(f"CREATE {kind} {index.name} ON {table} {rest}"))
