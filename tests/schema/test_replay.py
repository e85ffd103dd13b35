"""The history is replayed next to the database, never in it, each time anew, under what env.py says."""

import time
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from migrator import DatabaseError, HistoryError, Migrator, StampRefused
from tests.adopt.legacy.past import create_all
from tests.adopt.legacy_databases import is_sqlite
from tests.kit.database import ask, connected, execute, rows, tables
from tests.kit.projects import copy_history, make_project, miniature

PLANTS = 'def upgrade():\n    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))\n'
FROM_OUTSIDE = """
import runpy

PROJECT = Path(__file__).parents[2]

def upgrade():
    columns = [sa.Column(name, sa.Text) for name in runpy.run_path(PROJECT / "models.py")["columns"]]
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True), *columns)
    op.execute((PROJECT / "more.sql").read_text())
"""
ENV = """
from pathlib import Path
import sqlalchemy as sa
from migrator import run_env

def hook(*, step, **_):
    with Path(__file__).parents[1].joinpath("hook.txt").open("a") as file:
        print(step.up_revision_id or "stamp", file=file)

convention = {"uq": "unique_%(table_name)s_%(column_0_name)s", "ix": "index_%(column_0_label)s"}
run_env(sa.MetaData(naming_convention=convention), version_table="versions", on_version_apply=hook)
"""
NAMED_BY_CONVENTION = """
from alembic import context

def upgrade():
    assert context.get_context() is op.get_context()
    assert context.config.get_main_option("script_location")
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Text), sa.UniqueConstraint("a"))
    op.create_index(None, "plants", ["a"])
"""
IN_SCHEMAS = """
def upgrade():
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
    op.create_table("trees", sa.Column("id", sa.Integer, primary_key=True), schema="public")
    op.create_table("stones", sa.Column("id", sa.Integer, primary_key=True), schema="Odd one")
"""
MORE = 'def upgrade():\n    op.add_column("plants", sa.Column("name", sa.Text))\n'


def plants(url: str, *columns: str) -> None:
    """The table as the first revision makes it, by hand."""
    type_ = "INTEGER NOT NULL" if is_sqlite(url) else "SERIAL"
    execute(url, f"CREATE TABLE plants ({', '.join((f'id {type_} PRIMARY KEY', *columns))})")


def test_nothing_is_kept_from_one_command_to_the_next(database_url: str, tmp_path: Path) -> None:
    """A revision may take its tables from models, or its statements from a file: nobody can say what it depends on."""
    project = tmp_path / "project"
    config = miniature(project, FROM_OUTSIDE)
    engine = Migrator(config, database_url=database_url)
    (project / "models.py").write_text("columns = ['email']\n")
    (project / "more.sql").write_text("CREATE TABLE stones (id INTEGER)")
    plants(database_url, "email TEXT")
    with pytest.raises(StampRefused, match="the table stones is missing"):
        engine.stamp("001")
    execute(database_url, "CREATE TABLE stones (id INTEGER)")
    assert engine.adopt(dry_run=True).verdict.best.exact
    (project / "models.py").write_text("columns = ['email', 'name']\n")
    with pytest.raises(StampRefused, match=r"the column plants\.name \(TEXT\) is missing"):
        engine.stamp("001")
    execute(database_url, "ALTER TABLE plants ADD name TEXT")
    (project / "more.sql").write_text("CREATE TABLE stones (id INTEGER, weight INTEGER)")
    with pytest.raises(StampRefused, match=r"the column stones\.weight \(INTEGER\) is missing"):
        engine.stamp("001")
    execute(database_url, "ALTER TABLE stones ADD weight INTEGER")
    assert engine.stamp("001").after == ("001",)
    assert [path.name for path in project.rglob("*.json")] == []


def test_what_an_older_release_has_kept_is_not_read(database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", PLANTS)
    plants(database_url)
    kept = tmp_path / "project" / "migrations" / "__pycache__" / "migrator-sqlite-0123456789abcdef.json"
    kept.parent.mkdir(exist_ok=True)
    for text in ('{"base": [', "", '{"base": [], "001": []}'):
        kept.write_text(text)
        assert Migrator(config, database_url=database_url).adopt(dry_run=True).verdict.best.exact


def test_it_runs_under_what_env_py_says(database_url: str, tmp_path: Path) -> None:
    """A naming convention, a hook, the context itself and the name of the version table; the hook is for real runs only."""
    project = tmp_path / "project"
    make_project(project, [NAMED_BY_CONVENTION], env=ENV)
    engine = Migrator(project / "alembic.ini", database_url=database_url)
    engine.upgrade()
    assert (project / "hook.txt").read_text() == "001\n"
    execute(database_url, "DELETE FROM versions")
    found = engine.adopt()
    assert found.verdict.best.exact, found.verdict.best.differences
    assert (project / "hook.txt").read_text() == "001\n001\n"  # of the stamp, not of the replay


def test_it_has_the_schemas_that_are_there_without_the_history(postgres_url: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    options = 'version_table_schema="ops", include_schemas=True, target_metadata=sa.MetaData()'
    make_project(
        project,
        [IN_SCHEMAS],
        env=f"import sqlalchemy as sa\nfrom migrator import run_env\nrun_env(sa.MetaData(), {options})\n",
    )
    execute(postgres_url, "CREATE SCHEMA ops", 'CREATE SCHEMA "Odd one"', "CREATE SCHEMA tenant")
    (name,) = rows(postgres_url, "SELECT current_database()")
    execute(postgres_url, f"ALTER DATABASE {name} SET search_path TO tenant, public")
    engine = Migrator(project / "alembic.ini", database_url=postgres_url)
    engine.upgrade()
    assert set(
        rows(postgres_url, "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname !~ '^(pg_|info)'")
    ) == {
        *("ops.alembic_version", "ops.migration_log", "Odd one.stones", "tenant.plants", "public.trees"),
    }
    execute(postgres_url, "DELETE FROM ops.alembic_version")
    found = engine.adopt()
    assert (found.verdict.best.exact, found.verdict.extra) == (True, ())


def test_a_revision_may_open_a_second_connection(database_url: str, tmp_path: Path) -> None:
    second = """
    def upgrade():
        op.create_table("stones", sa.Column("id", sa.Integer, primary_key=True))
        assert sa.inspect(op.get_bind().engine).has_table("plants")
        with op.get_bind().engine.connect() as other:
            assert other.execute(sa.text("SELECT count(*) FROM plants")).scalar() == 0
    """
    config = miniature(tmp_path / "project", PLANTS, second)
    engine = Migrator(config, database_url=database_url)
    engine.upgrade()
    execute(database_url, "DELETE FROM alembic_version")
    assert engine.adopt().verdict.best.revision == "002"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ('op.execute("UPDATE users SET name = 1")', "replay-lacks-table", "002 (002_step.py) needs the table users,"),
        ('op.add_column("users", sa.Column("x", sa.Text))', "replay-lacks-table", "002 (002_step.py) needs the table users,"),
        ('op.execute("SELECT no_such_thing FROM plants")', "replay-failed", "002 (002_step.py) failed: "),
        ('raise RuntimeError("no rows here")', "replay-failed", "002 (002_step.py) failed: RuntimeError: no rows here."),
        ("exit(3)", "replay-failed", "002 (002_step.py) failed: SystemExit: 3."),
    ],
)  # fmt: skip
def test_a_replay_that_fails_says_in_which_revision_on_what(
    database_url: str, tmp_path: Path, body: str, code: str, words: str
) -> None:
    config = miniature(tmp_path / "project", PLANTS, f"def upgrade():\n    {body}\n")
    plants(database_url)
    execute(database_url, "CREATE TABLE users (name TEXT)")  # made by create_all(), not by the history
    for run in (Migrator.adopt, lambda engine: engine.stamp("001")):
        with pytest.raises(HistoryError) as failed:
            run(Migrator(config, database_url=database_url))
        assert failed.value.code == code
        said = str(failed.value)
        assert f"The history does not run in an empty database: {words}" in said
        assert "Nothing was changed." in said
        assert "createdb" not in said
    assert tables(database_url) == {"plants", "users"}


def test_it_leaves_nothing_in_the_database_nor_beside_it(postgres_url: str, tmp_path: Path) -> None:
    before = rows(postgres_url, "SELECT nspname FROM pg_namespace")
    config = miniature(tmp_path / "project", PLANTS, MORE)
    execute(postgres_url, "CREATE TABLE plants (id SERIAL CONSTRAINT plants_pkey PRIMARY KEY)")
    Migrator(config, database_url=postgres_url).adopt(dry_run=True)
    assert tables(postgres_url) == {"plants"}
    assert rows(postgres_url, "SELECT nspname FROM pg_namespace") == before
    assert rows(postgres_url, "SELECT datname FROM pg_database WHERE datname LIKE 'migrator_scratch_%'") == []


@pytest.fixture
def poor_url(postgres_url: str) -> Iterator[str]:
    """The same database for a role that may create schemas in it, and no database."""
    role, database = f"poor_{uuid.uuid4().hex[:8]}", sa.make_url(postgres_url).database
    execute(postgres_url, f"CREATE ROLE {role} LOGIN", f"GRANT CREATE ON DATABASE {database} TO {role}")
    execute(postgres_url, f"GRANT ALL ON SCHEMA public TO {role}")
    yield sa.make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
    execute(postgres_url, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


@pytest.mark.parametrize("driver", [name for name in ("psycopg2", "psycopg") if find_spec(name)])
def test_a_role_that_may_make_no_database_gets_a_schema_for_it(poor_url: str, tmp_path: Path, driver: str) -> None:
    url = sa.make_url(poor_url).set(drivername=f"postgresql+{driver}").render_as_string(hide_password=False)
    create_all(poor_url, "005", rows=False)
    found = Migrator(copy_history(tmp_path), database_url=url).adopt(upgrade=True)
    assert (found.verdict.best.revision, found.verdict.best.exact) == ("005", True)
    assert ask(poor_url, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'migrator_scratch_%'") == 0


@pytest.mark.parametrize(
    ("body", "outside"),
    [
        ('op.add_column("orders", sa.Column("x", sa.Text), schema="sales")', "the table sales.orders"),
        ('op.execute("INSERT INTO sales.orders VALUES (7)")', "the table sales.orders"),
        ('op.create_table("more", sa.Column("id", sa.Integer), schema="sales")', "the table sales.more"),
        ('op.execute("CREATE SCHEMA rent")', "the schema rent"),
        (
            "with op.get_context().autocommit_block(): op.execute('ALTER TABLE \"sales\".orders ADD x text')",
            "the schema sales",
        ),
    ],
)
def test_a_replay_in_a_schema_changes_nothing_outside_of_it(
    poor_url: str, tmp_path: Path, body: str, outside: str
) -> None:
    execute(
        poor_url,
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.orders (id integer)",
        "CREATE TABLE plants (id serial PRIMARY KEY)",
    )
    config = miniature(tmp_path / "project", PLANTS, f"def upgrade():\n    {body}\n")
    with pytest.raises(DatabaseError) as refused:
        Migrator(config, database_url=poor_url).adopt()
    assert (refused.value.code, refused.value.fields["outside"]) == ("scratch-left", (outside,))
    assert "Revision 002 (002_step.py) changes what is outside" in str(refused.value)
    assert [column["name"] for column in _columns(poor_url, "orders", "sales")] == ["id"]
    assert ask(poor_url, "SELECT count(*) FROM sales.orders") == 0
    assert rows(poor_url, "SELECT nspname FROM pg_namespace WHERE nspname ~ 'rent|scratch'") == []


def _columns(url: str, table: str, schema: str) -> list[sa.engine.interfaces.ReflectedColumn]:
    with connected(url) as connection:
        return sa.inspect(connection).get_columns(table, schema)


def test_five_hundred_tables_are_done_in_half_a_minute(database_url: str, tmp_path: Path) -> None:
    columns = ", ".join(f"c{number} VARCHAR(50)" for number in range(8))
    body = (
        "def upgrade():\n    for number in range(500):\n        op.execute(f'CREATE TABLE t{number} (id INTEGER NOT NULL, "
        f"{columns}, CONSTRAINT pk_t{{number}} PRIMARY KEY (id))')\n"
        "        op.execute(f'CREATE INDEX ix_t{number} ON t{number} (c1)')\n"
    )
    config = miniature(tmp_path / "project", body)
    engine = sa.create_engine(database_url, poolclass=NullPool)
    with engine.begin() as connection:
        for number in range(500):
            connection.exec_driver_sql(
                f"CREATE TABLE t{number} (id INTEGER NOT NULL, {columns}, CONSTRAINT pk_t{number} PRIMARY KEY (id))"
            )
            connection.exec_driver_sql(f"CREATE INDEX ix_t{number} ON t{number} (c1)")
    started = time.monotonic()
    done = Migrator(config, database_url=database_url).adopt()
    assert time.monotonic() - started < 30
    assert (done.verdict.tables, done.report is not None) == (500, True)
    with connected(database_url) as connection:
        connection.exec_driver_sql("DROP INDEX ix_t7")
    execute(database_url, "DELETE FROM alembic_version")
    started = time.monotonic()
    with pytest.raises(StampRefused, match=r"index ix_t7 on t7: \(c1\) is missing"):
        Migrator(config, database_url=database_url).stamp("001")
    assert time.monotonic() - started < 30
