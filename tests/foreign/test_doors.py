"""A project that Alembic's templates made changes three lines and gets every guarantee; so does whoever comes by another door."""

import os
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import make_url

from migrator import DatabaseError, HistoryError, Migrator, MigratorError
from migrator.errors import error
from tests.kit.assertions import assert_says
from tests.kit.database import ask, heads, logged, rows, state, tables
from tests.kit.doors import DOORS, Door, alembic_project
from tests.kit.fork_server import Forks, until
from tests.kit.projects import NAME, creates, miniature

ANIMALS = creates("animals", NAME, then="INSERT INTO animals VALUES (1, 'ant')")
FAILS = """
def upgrade():
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("UPDATE animals SET name = 'changed'")
    op.execute("SELECT no_such_column FROM animals")
"""
WAITS = """
def upgrade():
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
    with open(os.environ["GATE"]) as gate:
        gate.read()
"""
CHILDREN = """
def upgrade():
    op.create_table(
        "legs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("animal", sa.Integer, sa.ForeignKey("animals.id", name="fk_legs_animal", ondelete="CASCADE")),
    )
    op.execute("INSERT INTO legs VALUES (1, 1), (2, 1)")
"""
REBUILDS = """
def upgrade():
    with op.batch_alter_table("animals") as batch:
        batch.alter_column("name", type_=sa.String(50), existing_type=sa.Text, nullable=False)
"""
ASKS = """
def upgrade():
    op.execute("CREATE TABLE said AS SELECT current_setting('lock_timeout') AS timeout")
"""
TAMPERS = """
def upgrade():
    op.execute("INSERT INTO alembic_version VALUES ('elsewhere')")
"""
BLOCK = """
def upgrade():
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    with op.get_context().autocommit_block():
        op.create_index("ix_plants", "plants", ["name"], postgresql_concurrently=True)
    op.create_table("stones", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("stones")
    op.drop_table("plants")
"""
# What an application's engine does when it connects, put before the three lines.
FOREIGN_KEYS_ON = "    connection.exec_driver_sql('PRAGMA foreign_keys = ON')\n    connection.rollback()\n"
A_SELECT = "    connection.exec_driver_sql('SELECT 1')\n"
TEMPLATES = pytest.mark.parametrize("template", ["generic", "async"])


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    return DOORS[request.param]


def test_a_step_that_fails_leaves_nothing(door: Door, forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = door.make(tmp_path / "project", ANIMALS, FAILS, url=database_url)
    assert door.run(forks, config, database_url, "upgrade", "001").code == 0
    before = state(database_url)
    result = door.run(forks, config, database_url, "upgrade", "head")
    assert result.code != 0
    assert "Revision 002 (002_step.py) failed on its upgrade" in result.stderr
    assert "The upgrade of 002 was rolled back; the database is at 001." in result.stderr
    assert state(database_url) == before
    assert (logged(database_url), logged(database_url, "failed")) == (["001"], ["002"])


def test_it_goes_up_and_down_and_is_recorded(door: Door, forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = door.make(tmp_path / "project", ANIMALS, BLOCK, "def upgrade():\n    pass", url=database_url)
    for arguments in (["upgrade", "002"], ["downgrade", "001"], ["upgrade", "002"], ["stamp", "003"]):
        result = door.run(forks, config, database_url, *arguments)
        assert result.code == 0, result
    assert logged(database_url) == ["001", "002", "downgrade 002", "002", "stamp 003"]
    assert heads(database_url) == ["003"]


def test_two_at_once_take_turns(door: Door, forks: Forks, database_url: str, tmp_path: Path) -> None:
    config, gate = door.make(tmp_path / "project", ANIMALS, WAITS, url=database_url), tmp_path / "gate"
    os.mkfifo(gate)
    processes = door.start(forks, config, database_url, "upgrade", "head", times=2, GATE=str(gate))
    until(lambda: any("Waiting for another run: " in process.stderr for process in processes))
    gate.write_text("")
    results = [process.wait() for process in processes]
    assert [result.code for result in results] == [0, 0], results
    assert logged(database_url) == ["001", "002"]


@TEMPLATES
@pytest.mark.parametrize("changed", [False, True], ids=("stock", "ours"))
def test_a_rebuild_loses_the_children_before_the_change_and_keeps_them_after_it(
    forks: Forks, sqlite_url: str, tmp_path: Path, template: str, changed: bool
) -> None:
    door = Door(alembic_project(template, changed=changed, before=FOREIGN_KEYS_ON))
    config = door.make(tmp_path / "project", ANIMALS, CHILDREN, REBUILDS, url=sqlite_url)
    result = door.run(forks, config, sqlite_url, "upgrade", "head")
    assert result.code == 0, result
    assert rows(sqlite_url, "SELECT id, animal FROM legs") == ([(1, 1), (2, 1)] if changed else [])


def test_a_lock_timeout_stands_in_every_step(door: Door, forks: Forks, postgres_url: str, tmp_path: Path) -> None:
    config = door.make(tmp_path / "project", ASKS, url=postgres_url)
    assert door.run(forks, config, postgres_url, "upgrade", "head").code == 0
    assert ask(postgres_url, "SELECT timeout FROM said") == "250ms"


def test_the_heads_are_read_again(door: Door, forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = door.make(tmp_path / "project", ANIMALS, TAMPERS, url=database_url)
    result = door.run(forks, config, database_url, "upgrade", "head")
    assert result.code != 0
    assert "the database is at 002, elsewhere and not at 002" in result.stderr


def test_nothing_is_written_before_everything_is_checked(
    door: Door, forks: Forks, database_url: str, tmp_path: Path
) -> None:
    config = door.make(tmp_path / "project", ANIMALS, "def upgrade(:", url=database_url)
    result = door.run(forks, config, database_url, "upgrade", "head")
    assert result.code != 0
    assert "002_step.py does not load" in result.stderr
    assert tables(database_url) == set()


@TEMPLATES
def test_a_connection_in_a_transaction_is_refused(
    forks: Forks, database_url: str, tmp_path: Path, template: str
) -> None:
    door = Door(alembic_project(template, before=A_SELECT))
    result = door.run(
        forks, door.make(tmp_path / "project", ANIMALS, url=database_url), database_url, "upgrade", "head"
    )
    assert result.code != 0
    assert "already in a transaction" in result.stderr
    assert tables(database_url) == set()


@TEMPLATES
def test_reading_commands_of_an_adopted_project_write_nothing(
    forks: Forks, database_url: str, tmp_path: Path, template: str
) -> None:
    door = Door(alembic_project(template))
    config = door.make(tmp_path / "project", ANIMALS, url=database_url)
    for arguments in (["current"], ["check"], ["history"]):
        door.run(forks, config, database_url, *arguments)
        assert tables(database_url) == set()
    assert door.run(forks, config, database_url, "upgrade", "head").code == 0
    assert "001 (head)" in door.run(forks, config, database_url, "current").stdout


def test_what_an_env_py_of_alembics_does_is_not_called_ours(sqlite_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS, stock=True, url=sqlite_url)
    with pytest.raises(HistoryError) as refused:
        Migrator(config, database_url=sqlite_url).upgrade()
    assert refused.value.code == "env-without-migrator"
    consequence = "without the engine's guarantees"
    assert_says(str(refused.value), "env-without-migrator", "does not call migrator.run", consequence=consequence)


@TEMPLATES
def test_the_database_that_a_command_names_is_the_one(database_url: str, tmp_path: Path, template: str) -> None:
    ini = alembic_project(template)(tmp_path / "project", ANIMALS, url=f"sqlite:///{tmp_path}/in_ini.db")
    named = database_url
    if template == "async":
        named = database_url.replace("sqlite:", "sqlite+aiosqlite:").replace("+psycopg2", "+asyncpg")
    migrator = Migrator(ini, database_url=named)
    migrator.upgrade()
    assert (heads(database_url), migrator.current()) == (["001"], ("001",))
    assert not (tmp_path / "in_ini.db").exists()
    assert make_url(migrator.url).database == make_url(database_url).database


def test_an_env_py_that_goes_elsewhere_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    ini = Path(alembic_project("generic")(tmp_path / "project", ANIMALS, url=sqlite_url))
    env = ini.parent / "migrations/env.py"
    env.write_text(
        env.read_text().replace(
            "config.get_section(config.config_ini_section, {})", f"{{'sqlalchemy.url': {sqlite_url!r}}}"
        )
    )
    named = Migrator(ini, database_url=f"sqlite:///{tmp_path}/named.db")
    for run in (named.upgrade, named.status, named.current):
        with pytest.raises(DatabaseError) as refused:
            run()
        assert_says(str(refused.value), "url-not-used", sqlite_url, "named.db")
        assert (tables(sqlite_url), (tmp_path / "named.db").exists()) == (set(), False)
    (ini.parent / ".env").write_text("damaged, and of no concern to who connects by himself\n")
    command.upgrade(Config(str(ini)), "head")
    assert heads(sqlite_url) == ["001"]


@pytest.mark.parametrize(
    ("template", "url", "code"),
    [
        ("generic", "driver://user:pass@localhost/dbname", "url-unusable"),
        ("generic", "postgresql+nothing://ada:secret@127.0.0.1/x", "url-unusable"),
        ("generic", "sqlite:///a.db?timeout=x", "url-unusable"),
        ("async", "sqlite:///a.db?timeout=x", "url-unusable"),
        ("generic", "postgresql+psycopg2://ada:secret@127.0.0.1:1/x", "database-unreachable"),
        ("async", "postgresql://ada:secret@127.0.0.1:1/x", "database-unreachable"),
        ("generic", "sqlite:////no/such/folder/a.db", "database-unreachable"),
    ],
)
def test_a_database_that_env_py_cannot_reach_is_told(tmp_path: Path, template: str, url: str, code: str) -> None:
    config = alembic_project(template)(tmp_path / "project", ANIMALS, url=url)
    for work in (Migrator(config).upgrade, Migrator(config).status):
        with pytest.raises(MigratorError) as refused:
            work()
        assert refused.value.code == code
        assert "secret" not in str(refused.value)


SEVERAL = """
import sqlalchemy as sa
import migrator
from alembic import context

for url in {urls!r}:
    with sa.create_engine(url, poolclass=sa.pool.NullPool).connect() as connection:
        try:
            migrator.run(connection)
        except migrator.HistoryError:
            if not {swallows}:
                raise
"""


@pytest.mark.parametrize("swallows", [False, True])
def test_one_databases_answer_is_never_told_of_another(tmp_path: Path, swallows: bool) -> None:
    one, two = (f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "two"))
    config = miniature(tmp_path / "project", ANIMALS)
    Path(config).with_name("migrations").joinpath("env.py").write_text(
        SEVERAL.format(urls=(one, two), swallows=swallows)
    )
    command.upgrade(Config(config), "head")  # `alembic` has no report, and goes on
    assert (heads(one), heads(two)) == (["001"], ["001"])
    (tmp_path / "one.db").unlink()
    migrator = Migrator(config)
    for run in (migrator.status, migrator.current, migrator.plan, migrator.log):
        with pytest.raises(DatabaseError) as refused:
            run()
        assert_says(str(refused.value), "databases-several", f"{one} and then {two}")
    assert tables(one) == set()
    target = "002" if swallows else "head"  # what raises may be swallowed
    with pytest.raises(DatabaseError) as refused:
        migrator.upgrade(target)
    changed = "Nothing was changed." if swallows else "Applied in this run and kept: 001; the database is at 001."
    consequence = f"{one}: {changed} {two}: Nothing was changed."
    assert_says(str(refused.value), "databases-several", consequence=consequence)
    assert heads(one) == ([] if swallows else ["001"])


def test_what_the_alembic_program_advises_is_a_command_that_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["/usr/bin/alembic", "stamp", "head"])
    assert "\n  migrator adopt" in str(error("adopt-harmless", best="001", differences=())).replace(
        "--accept-harmless", ""
    )
    (tmp_path / "migrate.py").touch()
    assert "\n  python migrate.py adopt" in str(error("adopt-harmless", best="001", differences=()))


@pytest.mark.parametrize("url", ["no url secret", "postgresql://ada:secret@host:port/x"])
def test_what_env_py_takes_for_a_url_and_is_none_is_told_without_it(tmp_path: Path, url: str) -> None:
    config = Path(alembic_project("generic")(tmp_path / "project", ANIMALS, url="sqlite:///a.db"))
    config.write_text(config.read_text().replace("sqlite:///a.db", url))
    with pytest.raises(MigratorError) as refused:
        Migrator(config).upgrade()
    assert refused.value.code == "url-unusable"
    assert "secret" not in str(refused.value)
