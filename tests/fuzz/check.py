"""Runs one random history on a database and compares what is there after each revision with the model."""

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy.pool import NullPool

from migrator import Migrator
from tests.fuzz.histories import Revision, histories
from tests.fuzz.model import KINDS, Database
from tests.kit.postgres import Server
from tests.kit.projects import miniature
from tests.scaffold.templates import Files

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {name: eval(kind.source, {"sa": sa}) for name, kind in KINDS.items()}
SETTINGS = settings(
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)
_OURS = {"alembic_version", "migration_log"}


def search(host: Server | Files, folder: Path, search_settings: settings) -> int:
    """Make up histories and check each on a new database; return how many. Raises AssertionError with the shortest one that fails."""
    count = 0

    @search_settings
    @given(histories())
    def goes_up_and_down(revisions: list[Revision]) -> None:
        nonlocal count
        count += 1
        url = host.create_database()
        try:
            check(revisions, url, folder / "project")
        finally:
            host.drop_database(url)

    goes_up_and_down()
    return count


def check(revisions: list[Revision], url: str, folder: Path) -> None:
    """Go up one revision at a time, down one at a time, and up to head at once. Raises AssertionError where the database is another one."""
    shutil.rmtree(folder, ignore_errors=True)
    migrator = Migrator(miniature(folder, *(revision.source for revision in revisions)), database_url=url)
    engine = sa.create_engine(url, poolclass=NullPool)
    for number, revision in enumerate(revisions, start=1):
        migrator.upgrade(f"{number:03}")
        assert_holds(engine, revision.after_up)
    for number, revision in reversed([*enumerate(revisions)]):
        migrator.downgrade(f"{number:03}" if number else "base")
        assert_holds(engine, revision.after_down)
    migrator.upgrade()
    assert migrator.current() == (f"{len(revisions):03}",)


def assert_holds(engine: sa.Engine, expected: Database) -> None:
    """Compare tables, columns, keys, indexes and rows."""
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        assert set(inspector.get_table_names()) - _OURS == set(expected.tables)
        for name, table in expected.tables.items():
            columns = {found["name"]: found for found in inspector.get_columns(name)}
            assert set(columns) == {"id", *table.columns}, name
            for column in table.columns.values():
                found = columns[column.name]
                assert found["nullable"] is column.nullable, (name, column)
                assert _has_type(found["type"], column.kind), (name, column, found["type"])
                assert (found["default"] is None) is (column.default is None), (name, column, found["default"])
                assert column.default is None or column.default in str(found["default"]), (name, column)
            uniques = {str(u["name"]): tuple(u["column_names"]) for u in inspector.get_unique_constraints(name)}
            assert uniques == table.uniques, name
            indexes = {
                str(i["name"]): tuple(i["column_names"])
                for i in inspector.get_indexes(name)
                if "duplicates_constraint" not in i
            }
            assert indexes == table.indexes, name
            parents = {
                str(key["name"]): (key["constrained_columns"][0], key["referred_table"])
                for key in inspector.get_foreign_keys(name)
            }
            assert parents == table.parents, name
            assert inspector.get_pk_constraint(name)["constrained_columns"] == ["id"], name
            typed = sa.table(
                name, sa.column("id", sa.Integer), *(sa.column(c.name, _TYPES[c.kind]) for c in table.columns.values())
            )
            rows = [dict(row) for row in connection.execute(sa.select(typed)).mappings()]
            assert sorted(rows, key=_id) == sorted(table.rows, key=_id), name


def _id(row: dict[str, Any]) -> int:
    return int(row["id"])


def _has_type(found: sa.types.TypeEngine[Any], kind: str) -> bool:
    wanted = _TYPES[kind]
    if isinstance(wanted, sa.String) and not isinstance(wanted, sa.Text):
        return isinstance(found, sa.String) and found.length == wanted.length
    return isinstance(found, type(wanted)) or (isinstance(wanted, sa.Float) and isinstance(found, sa.Float))
