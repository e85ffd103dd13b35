"""A history begun from a database that has none: models and one revision that makes exactly the schema that is there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate import api
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from migrator import dialects
from migrator.adopt.other_runners import TABLES
from migrator.errors.tree import HistoryError, SettingsError
from migrator.results import Report
from migrator.schema.autogenerate import options_for
from migrator.schema.replay import Replay
from migrator.schema.snapshot import NOTHING, compare, reflecting, snapshot
from migrator.settings import Settings

REVISION = "001"
_FILE = '''"""The schema as it was found when this history began.

Made from the database by `baseline`, and proved by replaying it into an empty one and comparing.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
{imports}
revision: str = "{revision}"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
{body}


def downgrade() -> None:
    raise NotImplementedError("these tables were there before the history; dropping them is nobody's downgrade")
'''


@dataclass(frozen=True)
class Baseline:
    """What `baseline` wrote, and the stamp."""

    models: Path
    revision: Path
    tables: tuple[str, ...]
    report: Report | None = None


def make(
    config: Config, settings: Settings, models: Path, heads: tuple[str, ...], migration: MigrationContext
) -> Baseline:
    """Write the two files, and prove the revision; nothing is left of them when that fails. The database is only read."""
    connection = migration.connection
    assert connection is not None
    script = ScriptDirectory.from_config(config)
    folder = Path(script.versions)
    if heads or any(script.walk_revisions()):
        raise HistoryError("baseline-not-first", path=folder, at=", ".join(heads) or "base")
    if models.is_file() and "__tablename__" in models.read_text(encoding="utf-8"):
        raise SettingsError("file-unusable", path=models, reason="there are models in it, which would be lost")
    dialect = dialects.of(connection, settings)
    replay = Replay(script, connection, dialect, migration.version_table)
    metadata = _reflect(connection, replay)
    if not metadata.tables:
        raise HistoryError("adopt-empty")
    path = folder / f"{REVISION}_baseline.py"
    text = _models(connection, _reflect(connection, replay))  # by itself, because sqlacodegen changes the types in it
    path.write_text(_revision(connection, replay, metadata), encoding="utf-8")
    try:
        _prove(connection, Replay(ScriptDirectory.from_config(config), connection, dialect, migration.version_table))
    except BaseException:
        path.unlink()
        raise
    models.parent.mkdir(parents=True, exist_ok=True)
    models.write_text(text, encoding="utf-8")
    return Baseline(models, path, tuple(sorted(metadata.tables)))


def _models(connection: Connection, metadata: sa.MetaData) -> str:
    """Return the models of the reflected tables, as sqlacodegen writes them. Raises SettingsError where it is not installed."""
    try:
        from sqlacodegen.generators import DeclarativeGenerator
    except ImportError:
        raise SettingsError("baseline-needs-sqlacodegen") from None
    indexes = "".join(_index(connection, index) for index in _taken_out(metadata))
    text: str = DeclarativeGenerator(metadata, connection, ("nosyntheticenums",)).generate()
    return f"import sqlalchemy as sa\n{text}\n\n{indexes}" if indexes else text


def _taken_out(metadata: sa.MetaData) -> list[sa.Index]:
    """Take the indexes out that sqlacodegen cannot write, on expressions and with conditions, and return them."""
    found: list[sa.Index] = []
    for table in metadata.sorted_tables:
        odd = [index for index in table.indexes if _is_odd(index)]
        table.indexes.difference_update(odd)
        found += sorted(odd, key=lambda index: str(index.name))
    return found


def _is_odd(index: sa.Index) -> bool:
    plain = all(isinstance(part, sa.Column) for part in index.expressions)
    return not plain or any(name.endswith(("_where", "_ops", "_include")) for name in _kwargs(index))


def _kwargs(index: sa.Index) -> dict[str, Any]:
    return {name: value for name, value in index.dialect_kwargs.items() if str(value) not in NOTHING}


def _index(connection: Connection, index: sa.Index) -> str:
    assert index.table is not None
    compiler = connection.dialect.statement_compiler(connection.dialect, None)

    def written(part: Any) -> str:
        if isinstance(part, sa.Column):  # as text it would be an expression, which Alembic does not compare on SQLite
            return repr(part.name)
        element = sa.text(part) if isinstance(part, str) else part
        return f"sa.text({compiler.process(element, include_table=False, literal_binds=True)!r})"

    parts = [written(part) for part in index.expressions]
    parts += ["unique=True"] if index.unique else []
    for name, value in sorted(_kwargs(index).items()):
        parts.append(f"{name}=sa.text({str(value)!r})" if name.endswith("_where") else f"{name}={value!r}")
    arguments = "".join(f"        {part},\n" for part in (repr(str(index.name)), *parts))
    return f"Base.metadata.tables[{index.table.key!r}].append_constraint(\n    sa.Index(\n{arguments}    )\n)\n"


def _reflect(connection: Connection, replay: Replay) -> sa.MetaData:
    """Return the tables that are neither the tool's nor another runner's."""
    migration = MigrationContext.configure(connection=connection)
    metadata = sa.MetaData()
    sa.event.listen(metadata, "column_reflect", migration.impl.autogen_column_reflect)
    left_out = replay.own_tables | TABLES
    with reflecting():
        for schema in replay.dialect.schemas(connection):
            metadata.reflect(connection, schema=schema, only=lambda name, _: name not in left_out)
    return metadata


def _revision(connection: Connection, replay: Replay, metadata: sa.MetaData) -> str:
    """Return the text of the baseline revision. Reads only."""
    written = replay.dialect.definitions(connection, {table.name for table in metadata.tables.values()})
    if written:
        body = "\n".join(f"    op.execute({_literal(sql)})" for sql in written)
    else:
        body = "\n".join([*_types(connection, metadata), _operations(connection, metadata)])
    imports = "from sqlalchemy.dialects import postgresql\n" if "postgresql." in body else ""
    if "sa." not in body:
        return _FILE.format(revision=REVISION, body=body, imports=imports).replace("import sqlalchemy as sa\n", "")
    return _FILE.format(revision=REVISION, body=body, imports=imports)


def _prove(connection: Connection, replay: Replay) -> None:
    """Raise HistoryError unless the revision makes exactly what is there."""
    found = snapshot(connection, replay.dialect, ignore=replay.own_tables | TABLES)
    made = replay.schemas[REVISION]
    differences = [*compare(found, made), *compare(made, found)]
    if differences:
        raise HistoryError("baseline-differs", differences="".join(f"\n  - {d.text}" for d in differences[:20]))


def _operations(connection: Connection, metadata: sa.MetaData) -> str:
    options = {**options_for(metadata), "include_name": lambda name, type_, _: type_ != "table"}
    options.pop("process_revision_directives")
    migration = MigrationContext.configure(connection=connection, opts=options)
    upgrade = api.produce_migrations(migration, metadata).upgrade_ops
    assert isinstance(upgrade, ops.UpgradeOps)
    text = api.render_python_code(upgrade, render_item=_render, migration_context=migration)
    return "\n".join(line for line in f"    {text.strip()}".splitlines() if not line.strip().startswith("# ###"))


def _types(connection: Connection, metadata: sa.MetaData) -> Iterator[str]:
    """Schemas and native ENUM types come first, and a type used by two tables is made once."""
    for schema in sorted({table.schema for table in metadata.tables.values() if table.schema}):
        yield f"    op.execute('CREATE SCHEMA IF NOT EXISTS \"{schema}\"')"
    enums: dict[str, str] = {}
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, sa.Enum) and column.type.name:
                name = ".".join(f'"{part}"' for part in (column.type.schema, column.type.name) if part)
                labels = ", ".join("'" + label.replace("'", "''") + "'" for label in column.type.enums)
                enums[name] = f"    op.execute({_literal(f'CREATE TYPE {name} AS ENUM ({labels})')})"
    yield from enums.values()


def _render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """A native ENUM is made before the tables, so that no table makes it again."""
    if kind == "type" and isinstance(item, sa.Enum) and item.name:
        schema = f", schema={item.schema!r}" if item.schema else ""
        return f"postgresql.ENUM({', '.join(map(repr, item.enums))}, name={item.name!r}{schema}, create_type=False)"
    return False


def _literal(sql: str) -> str:
    """The SQL as a Python literal that keeps its lines; a colon would otherwise be read as a parameter."""
    text: Any = sql.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').replace(":", "\\\\:")
    return f'"""{text}"""' if not text.endswith('"') else f'"""{text[:-1]}\\""""'
