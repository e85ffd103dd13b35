"""A step that fails leaves nothing: its change, the version row and the log's row commit together, or none does."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import Migrator, StepFailed
from tests.kit.database import heads, logged, rows, state, tables
from tests.kit.fork_server import Forks, Job
from tests.kit.projects import NAME, creates, miniature

ANIMALS = creates("animals", NAME, then="INSERT INTO animals (id, name) VALUES (1, 'ant'), (2, 'bee')")
DDL = """
def upgrade():
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
    op.create_index("ix_animals_name", "animals", ["name"])
    if "MENDED" not in os.environ:
        raise RuntimeError("half-way")
"""
DDL_AND_ROWS = """
def upgrade():
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO plants VALUES (1)")
    op.execute("UPDATE animals SET name = 'changed'")
    op.execute("DELETE FROM animals WHERE id = 1")
    op.execute("SELECT 1" if "MENDED" in os.environ else "SELECT no_such_column FROM animals")
"""
A_REBUILD = """
def upgrade():
    with op.batch_alter_table("animals") as batch:
        batch.alter_column("name", type_=sa.String(50), nullable=False, existing_type=sa.Text)
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
    op.execute(f"INSERT INTO plants VALUES ({'1' if 'MENDED' in os.environ else 'NULL'}), (2)")
    if "MENDED" not in os.environ:
        op.execute("INSERT INTO plants VALUES (2)")
"""
DOWN = """
def upgrade():
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO plants VALUES (1)")


def downgrade():
    op.execute("DELETE FROM animals")
    op.drop_table("plants")
    if "MENDED" not in os.environ:
        raise RuntimeError("half-way back")
"""
LAST = """
def upgrade():
    op.create_table("stones", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("stones")
"""
FAILING = pytest.mark.parametrize("body", [DDL, DDL_AND_ROWS, A_REBUILD], ids=("ddl", "ddl and rows", "a rebuild"))


@FAILING
def test_a_revision_that_fails_half_way_leaves_nothing_and_can_be_run_again(
    database_url: str, tmp_path: Path, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Migrator(miniature(tmp_path / "animals", ANIMALS, body, LAST), database_url=database_url)
    engine.upgrade("001")
    before = state(database_url)
    for _ in range(2):
        with pytest.raises(StepFailed) as failed:
            engine.upgrade()
        assert (failed.value.code, failed.value.fields["revision"]) == ("step-failed", "002")
        assert "The upgrade of 002 was rolled back; the database is at 001" in str(failed.value)
        assert state(database_url) == before
    monkeypatch.setenv("MENDED", "1")
    assert [step.revision for step in engine.upgrade().steps] == ["002", "003"]
    assert tables(database_url) >= {"animals", "plants", "stones"}
    assert (logged(database_url), logged(database_url, "failed")) == (["001", "002", "003"], ["002", "002"])


def test_earlier_revisions_of_the_run_stay(database_url: str, tmp_path: Path) -> None:
    engine = Migrator(miniature(tmp_path / "animals", ANIMALS, LAST, DDL), database_url=database_url)
    with pytest.raises(StepFailed) as failed:
        engine.upgrade()
    assert failed.value.fields["applied"] == ("001", "002")
    assert tables(database_url) >= {"animals", "stones"}
    assert rows(database_url, "SELECT name FROM animals ORDER BY id") == ["ant", "bee"]
    assert (heads(database_url), logged(database_url)) == (["002"], ["001", "002"])


def test_a_first_revision_that_fails_leaves_an_empty_database(database_url: str, tmp_path: Path) -> None:
    body = ANIMALS.replace("\n\n\ndef downgrade", "\n    raise RuntimeError('half-way')\n\n\ndef downgrade")
    with pytest.raises(StepFailed):
        Migrator(miniature(tmp_path / "animals", body), database_url=database_url).upgrade()
    assert tables(database_url) == {"migration_log"}
    assert logged(database_url, "failed") == ["001"]


def test_an_error_in_downgrade_leaves_nothing_and_can_be_run_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Migrator(miniature(tmp_path / "animals", ANIMALS, DOWN, LAST), database_url=database_url)
    engine.upgrade("002")
    before = state(database_url)
    engine.upgrade()
    with pytest.raises(StepFailed, match=r"failed on its downgrade: RuntimeError: half-way back"):
        engine.downgrade("base")
    assert state(database_url) == before
    monkeypatch.setenv("MENDED", "1")
    engine.downgrade("base")
    assert heads(database_url) == []
    assert tables(database_url) == {"alembic_version", "migration_log"}


@pytest.mark.parametrize("stock", [True, False], ids=("stock", "ours"))
def test_on_sqlite_stock_alembic_leaves_half_a_revision_and_fails_for_ever(
    forks: Forks, sqlite_url: str, tmp_path: Path, stock: bool
) -> None:
    config = miniature(tmp_path / "animals", ANIMALS, DDL_AND_ROWS, stock=stock, url=sqlite_url)
    program = "alembic" if stock else "migrate.py"
    (failed,) = forks.run(Job(["upgrade", "head"], config, sqlite_url, program=program))
    assert failed.code != 0
    assert ("plants" in tables(sqlite_url)) is stock
    (again,) = forks.run(Job(["upgrade", "head"], config, sqlite_url, program=program, environment={"MENDED": "1"}))
    assert (again.code != 0) is stock
    assert ("table plants already exists" in again.stderr) is stock


def test_change_version_and_log_become_visible_with_one_commit(database_url: str, tmp_path: Path) -> None:
    engine = Migrator(miniature(tmp_path / "animals", ANIMALS, LAST), database_url=database_url)
    engine.upgrade("001")
    seen: list[tuple[bool, bool, bool]] = []

    def look(connection: sa.Connection) -> None:
        if connection.engine.url.render_as_string() == watched:
            seen.append(_visible(database_url))

    watched = sa.make_url(engine.url).render_as_string()
    sa.event.listen(sa.Engine, "commit", look)
    try:
        engine.upgrade()
    finally:
        sa.event.remove(sa.Engine, "commit", look)
    assert set(seen) <= {(False, False, False), (True, True, True)}
    assert seen[0] == (False, False, False)
    assert _visible(database_url) == (True, True, True)


def _visible(url: str) -> tuple[bool, bool, bool]:
    return "stones" in tables(url), heads(url) == ["002"], "002" in logged(url)


def test_a_commit_that_the_database_refuses_leaves_nothing(postgres_url: str, tmp_path: Path) -> None:
    body = """
    def upgrade():
        op.create_table("pairs", sa.Column("id", sa.Integer, primary_key=True), sa.Column("other", sa.Integer))
        op.create_foreign_key("fk", "pairs", "pairs", ["other"], ["id"], deferrable=True, initially="DEFERRED")
        op.execute("INSERT INTO pairs VALUES (1, 2)")
    """
    engine = Migrator(miniature(tmp_path / "animals", ANIMALS, body), database_url=postgres_url)
    engine.upgrade("001")
    before = state(postgres_url)
    with pytest.raises(StepFailed, match="violates foreign key constraint"):
        engine.upgrade()
    assert state(postgres_url) == before
    assert (logged(postgres_url), logged(postgres_url, "failed")) == (["001"], ["002"])
