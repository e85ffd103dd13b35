"""A history begun from a database that has none: models and one revision that creates exactly the schema that is there."""

import runpy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from migrator.adopt.bridge import imports_for
from migrator.adopt.match import found
from migrator.adopt.other_runners import TABLES
from migrator.adopt.rendering import plain_bind, plain_context
from migrator.errors import error
from migrator.errors.tree import HistoryError
from migrator.results.adoption import Baseline
from migrator.schema.autogenerate import options_for
from migrator.schema.compare import compare
from migrator.schema.replay import Replay
from migrator.schema.snapshot import NOTHING, Snapshot, reflecting
from migrator.settings import Settings

REVISION = "001"
_FILE = '''"""The schema as it was found when this history began.

Made from the database by `baseline`, and proved by replaying it into an empty one and comparing.
"""

import sqlalchemy as sa
from alembic import op
{imports}
revision = "{revision}"
down_revision = None


def upgrade() -> None:
{body}


def downgrade() -> None:
    raise NotImplementedError("these tables were there before the history; no downgrade may drop them")
'''


@contextmanager
def whole_or_nothing(models: Path) -> Iterator[list[Path]]:
    """Remove the files that the block adds to the list, and restore the models' one, when the block raises."""
    before = models.read_text(encoding="utf-8") if models.is_file() else None
    written: list[Path] = []
    try:
        yield written
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        if before is not None and models in written:
            models.write_text(before, encoding="utf-8")
        raise


def make(
    config: Config,
    settings: Settings,
    models: Path,
    written: list[Path],
    heads: tuple[str, ...],
    migration: MigrationContext,
) -> Baseline:
    """Write the two files, adding each to `written` first, and prove the revision. The database is only read."""
    connection = migration.connection
    assert connection is not None
    script = ScriptDirectory.from_config(config)
    folder = Path(script.versions)
    if heads or any(script.walk_revisions()):
        raise error("baseline-not-first", path=folder, at=heads)
    if models.is_file() and "__tablename__" in models.read_text(encoding="utf-8"):
        raise error("file-unusable", path=models, reason="there are models in it, which would be lost")
    dialect = dialects.of(connection)
    replay = Replay(script, connection, dialect, settings, migration)
    metadata = _reflect(connection, replay)
    if not metadata.tables:
        others = sorted(found(connection, replay))
        raise error("baseline-untyped", columns=tuple(others)) if others else error("adopt-empty")
    _refuse_unknown_types(found(connection, replay), metadata)
    path = folder / f"{REVISION}_baseline.py"
    text = _models(connection, _reflect(connection, replay))  # a copy, because sqlacodegen changes the types in it
    written.append(path)
    path.write_text(_revision(connection, replay, metadata), encoding="utf-8")
    begun = ScriptDirectory.from_config(config)
    _prove(connection, Replay(begun, connection, dialect, settings, migration))
    models.parent.mkdir(parents=True, exist_ok=True)
    written.append(models)
    models.write_text(text, encoding="utf-8")
    _load_models(models)
    return Baseline(models, path, tuple(sorted(metadata.tables)))


def _models(connection: Connection, metadata: sa.MetaData) -> str:
    """Return the models of the reflected tables, as sqlacodegen writes them. Raises SettingsError where it is not installed."""
    try:
        from sqlacodegen.generators import DeclarativeGenerator
    except ImportError:
        raise error("baseline-needs-sqlacodegen") from None
    indexes = "".join(_index(connection, index) for index in _taken_out(metadata))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SADeprecationWarning)  # of what sqlacodegen reads
        text: str = DeclarativeGenerator(metadata, plain_bind(connection), ("nosyntheticenums",)).generate()
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
    dialect = plain_bind(connection).dialect
    compiler = dialect.statement_compiler(dialect, None)

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
    left_out = replay.tools_tables | TABLES | replay.dialect.undescribed_tables(connection)
    with reflecting():
        for schema in replay.dialect.schemas(connection):
            metadata.reflect(connection, schema=schema, only=lambda name, _: not {name, name.casefold()} & left_out)
    return metadata


def _revision(connection: Connection, replay: Replay, metadata: sa.MetaData) -> str:
    """Return the text of the baseline revision. Reads only."""
    written = replay.dialect.definitions(connection, replay.tools_tables | TABLES)
    if written:
        body = _executing(written)
    else:
        first = replay.dialect.before_tables(connection, metadata)
        last = replay.dialect.after_tables(connection, metadata)
        parts = (_executing(first), _operations(connection, replay, metadata), _executing(last))
        body = "\n".join(filter(None, parts))
    text = _FILE.format(revision=REVISION, body=body, imports=imports_for(body, replay.dialect.name))
    return text if "sa." in body else text.replace("import sqlalchemy as sa\n", "")


def _executing(statements: Sequence[str]) -> str:
    return "\n".join(f"    op.execute({_literal(sql)})" for sql in statements)


def _prove(connection: Connection, replay: Replay) -> None:
    """Raise HistoryError unless the revision makes exactly what is there."""
    try:
        made = replay.schemas[REVISION]
    except HistoryError as failed:  # what it executes is not what makes this schema
        raise error("baseline-differs", differences=(failed.fact,)) from failed
    there = found(connection, replay)
    if differences := (*compare(there, made), *compare(made, there)):
        raise error(
            "baseline-differs", differences=tuple({difference.text: difference for difference in differences}.values())
        )


def _refuse_unknown_types(there: Snapshot, metadata: sa.MetaData) -> None:
    """Raise HistoryError "baseline-untyped" for columns that SQLAlchemy has no type for: no model and no operation can name them."""
    untyped = {
        (table.key, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if _is_untyped(column)
    }
    types = {(name, column.name): column.type for name, it in there.items() for column in it.columns}
    columns = tuple(f"{table}.{name} ({types.get((table, name)) or 'no type'})" for table, name in sorted(untyped))
    if columns:
        raise error("baseline-untyped", columns=columns)


def _is_untyped(column: sa.Column[Any]) -> bool:
    kind = column.type.item_type if isinstance(column.type, sa.ARRAY) else column.type
    return isinstance(kind, sa.types.NullType)


def _load_models(models: Path) -> None:
    """Raise HistoryError "baseline-differs" if the models that were written cannot be loaded."""
    try:
        runpy.run_path(str(models))
    except Exception as problem:
        text = f"the models cannot be loaded: {type(problem).__name__}: {problem}"
        raise error("baseline-differs", differences=(text,)) from problem


def _operations(connection: Connection, replay: Replay, metadata: sa.MetaData) -> str:
    def render(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
        return replay.dialect.render_type(item) if kind == "type" else False

    options = {**options_for(metadata), "include_name": lambda name, type_, _: type_ != "table"}
    options.pop("process_revision_directives")
    migration = MigrationContext.configure(connection=connection, opts=options)
    upgrade = api.produce_migrations(migration, metadata).upgrade_ops
    assert isinstance(upgrade, ops.UpgradeOps)
    text = api.render_python_code(upgrade, render_item=render, migration_context=plain_context(connection, options))
    return "\n".join(line for line in f"    {text.strip()}".splitlines() if not line.strip().startswith("# ###"))


def _literal(sql: str) -> str:
    """The SQL as a Python literal that keeps its lines; a colon would otherwise be read as a parameter."""
    text: Any = sql.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').replace(":", "\\\\:")
    return f'"""{text}"""' if not text.endswith('"') else f'"""{text[:-1]}\\""""'
