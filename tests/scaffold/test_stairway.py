"""Up and down the history with a full database: every row is accounted for at each step, on both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from migrator import Migrator
from tests.conftest import PopulatedAt
from tests.kit import CONFIG
from tests.kit.fingerprint import columns_of, fingerprint
from tests.kit.processes import Project
from tests.kit.shape import read_shape
from tests.scaffold.population import FEW, populate
from tests.scaffold.templates import Templates

REVISIONS = [script.revision for script in ScriptDirectory.from_config(Config(CONFIG)).walk_revisions()][::-1]
MAIN_JOB = {"users": 200, "datasets": 1000, "conversations": 2000, "chat_messages": 20000}


engine = cache(partial(create_engine, poolclass=NullPool))


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    with engine(url).begin() as connection:
        yield connection


def columns_at_each_revision(url: str) -> dict[str, dict[str, list[str]]]:
    migrator = Migrator(CONFIG, database_url=url)
    columns: dict[str, dict[str, list[str]]] = {"base": {}}
    for revision in REVISIONS:
        migrator.upgrade(revision)
        with connected(url) as connection:
            columns[revision] = columns_of(connection)
    return columns


def test_every_row_is_there_after_every_step_up(database_url: str) -> None:
    migrator = Migrator(CONFIG, database_url=database_url)
    columns: dict[str, list[str]] = {}
    rows: dict[str, tuple[int, str]] = {}
    for revision in REVISIONS:
        migrator.upgrade(revision)
        with connected(database_url) as connection:
            assert fingerprint(connection, columns=columns, as_stored=True) == rows, f"after the upgrade to {revision}"
            populate(connection, **FEW)
            now = columns_of(connection)
            changed = {table: names for table, names in now.items() if columns.get(table) != names}
            rows |= fingerprint(connection, columns=changed, as_stored=True)
            columns = now
    assert all(count > 0 for count, _ in rows.values())


def test_down_and_up_again_leaves_the_rest_of_the_data_untouched(populated_at: PopulatedAt, sqlite_url: str) -> None:
    columns = columns_at_each_revision(sqlite_url)
    url = populated_at("head")
    migrator = Migrator(CONFIG, database_url=url)
    with connected(url) as connection:
        rows = fingerprint(connection, as_stored=True)
    for lower, revision in reversed(list(zip(["base", *REVISIONS], REVISIONS, strict=False))):
        kept, whole = columns[lower], columns[revision]
        with connected(url) as connection:
            shape = read_shape(connection)
            narrowed = {table: names for table, names in kept.items() if names != whole[table]}
            rows = {table: rows[table] for table in kept} | fingerprint(connection, columns=narrowed, as_stored=True)
        migrator.downgrade(lower)
        with connected(url) as connection:
            assert columns_of(connection) == kept
            assert fingerprint(connection, as_stored=True) == rows, f"after the downgrade from {revision} to {lower}"
        migrator.upgrade(revision)
        migrator.downgrade(lower)
        migrator.upgrade(revision)
        with connected(url) as connection:
            assert read_shape(connection) == shape
            assert columns_of(connection) == whole
            found = fingerprint(connection, columns=kept, as_stored=True)
            assert found == rows, f"after going down and up between {revision} and {lower} twice"
        migrator.downgrade(lower)


def test_to_base_and_back_makes_the_same_schema(populated_url: str) -> None:
    migrator = Migrator(CONFIG, database_url=populated_url)
    with connected(populated_url) as connection:
        shape = read_shape(connection)
    migrator.downgrade("base")
    with connected(populated_url) as connection:
        assert columns_of(connection) == {}
    migrator.upgrade("head")
    with connected(populated_url) as connection:
        assert read_shape(connection) == shape
        assert {count for count, _ in fingerprint(connection).values()} == {0}
        populate(connection, **FEW)


def test_the_main_job_from_an_early_revision_to_head_and_back_and_again(
    populated_at: PopulatedAt, project: Project
) -> None:
    url = populated_at("004", full=True)
    with connected(url) as connection:
        columns = columns_of(connection)
        rows = fingerprint(connection, columns=columns, as_stored=True)
    for table, least in MAIN_JOB.items():
        assert rows[table][0] >= least

    for command in (["upgrade"], ["downgrade", "004"], ["upgrade", "head"]):
        done = project.migrate(*command, url=url)
        assert done.code == 0, done
        with connected(url) as connection:
            found = fingerprint(connection, columns=columns, as_stored=True)
            assert found == rows, f"after {' '.join(command)}"
            if command == ["upgrade"]:
                populate(connection)  # what 005 to 012 added: the downgrade has something to take away
    with connected(url) as connection:
        assert set(columns_of(connection)) > set(columns)


def test_both_databases_hold_the_same_after_the_same_upgrade(
    sqlite_templates: Templates, postgresql_templates: Templates
) -> None:
    held = []
    for templates in (sqlite_templates, postgresql_templates):
        url = templates.copy("004")
        Migrator(CONFIG, database_url=url).upgrade("head")
        with connected(url) as connection:
            populate(connection, **FEW)
            held.append(fingerprint(connection))
        templates.drop(url)
    assert held[0] == held[1]
