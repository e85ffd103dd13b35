"""The hooks that a project has of its own go on running: before the engine's, in the step's transaction."""

from pathlib import Path

import pytest

from migrator import Migrator, StepFailed
from tests.kit.database import execute, heads, logged, rows, tables
from tests.kit.projects import ANIMALS, PLANTS, miniature

ENV = """
import os
import sqlalchemy as sa
from migrator import run_env

def note(*, ctx, step, heads, run_args):
    logged = sa.inspect(ctx.connection).has_table("migration_log") and ctx.connection.scalar(
        sa.text("SELECT count(*) FROM migration_log WHERE revision = :id AND outcome = 'done'"), {"id": step.up_revision_id}
    )
    version = ctx.connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    ctx.connection.execute(
        sa.text("INSERT INTO seen VALUES (:up, :at, :logged)"),
        {"up": step.is_upgrade, "at": version, "logged": bool(logged)},
    )

def refuse(**_):
    if "REFUSE" in os.environ:
        raise RuntimeError("the hook says no")

run_env(sa.MetaData(), on_version_apply=HOOKS)
"""


def project(directory: Path, url: str, hooks: str) -> Migrator:
    config = miniature(directory, ANIMALS, PLANTS)
    (directory / "migrations" / "env.py").write_text(ENV.replace("HOOKS", hooks))
    execute(url, "CREATE TABLE seen (up BOOLEAN, at TEXT, logged BOOLEAN)")
    return Migrator(config, database_url=url)


@pytest.mark.parametrize("hooks", ["note", "[note, refuse]", "(refuse, note)"])
def test_the_callers_hooks_run_before_ours_once_a_step(database_url: str, tmp_path: Path, hooks: str) -> None:
    project(tmp_path / "animals", database_url, hooks).upgrade()
    assert rows(database_url, "SELECT * FROM seen") == [(True, "001", False), (True, "002", False)]
    assert logged(database_url) == ["001", "002"]


def test_what_a_hook_forbids_is_rolled_back_with_what_the_hooks_before_it_wrote(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = project(tmp_path / "animals", database_url, "[note, refuse]")
    engine.upgrade("001")
    monkeypatch.setenv("REFUSE", "1")
    with pytest.raises(StepFailed, match="RuntimeError: the hook says no"):
        engine.upgrade()
    assert "plants" not in tables(database_url)
    assert rows(database_url, "SELECT at FROM seen") == ["001"]
    assert (heads(database_url), logged(database_url)) == (["001"], ["001"])


def test_what_a_hook_says_of_a_stamp_is_kept_too(database_url: str, tmp_path: Path) -> None:
    project(tmp_path / "animals", database_url, "note").stamp("002", verify=False)
    assert rows(database_url, "SELECT at FROM seen") == ["002"]
    assert logged(database_url) == ["stamp 002"]
