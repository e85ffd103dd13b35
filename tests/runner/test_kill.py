"""SIGKILL at any moment: the database is at one revision or another, no row is gone, and the next run finishes."""

import signal
from pathlib import Path

import pytest

from tests.kit import CONFIG
from tests.kit.database import ask
from tests.kit.fork_server import Forks, Job, until
from tests.kit.projects import miniature
from tests.runner import slow_revisions as slow
from tests.runner.kill import Killer
from tests.scaffold.templates import Templates

LATE_REVISIONS = [f"{number:03}" for number in range(5, 13)]
KILLS = 5

DIES_BETWEEN_TWO_STATEMENTS = """
def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True))
    if "DIE" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    op.create_table("plants", sa.Column("id", sa.Integer, primary_key=True))
"""
SLEEPS = """
def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True))
    op.execute(f"SELECT pg_sleep({os.environ['SLEEP']})")
"""
BEFORE = """
def upgrade():
    op.create_table("before", sa.Column("id", sa.Integer, primary_key=True))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def templates(request: pytest.FixtureRequest) -> Templates:
    found = request.getfixturevalue(f"{request.param}_templates")
    assert isinstance(found, Templates)
    return found


def test_killed_at_random_over_the_real_revisions(forks: Forks, templates: Templates, tmp_path: Path) -> None:
    template = templates.copy("004")
    killer = Killer(forks, templates.host, template, CONFIG, LATE_REVISIONS, tmp_path)
    deaths = [killer.kill() for _ in range(KILLS)]
    templates.drop(template)
    assert len(deaths) == KILLS


def test_killed_at_random_over_slow_revisions(forks: Forks, templates: Templates, tmp_path: Path) -> None:
    config = miniature(tmp_path / "slow", *slow.BODIES)
    template = templates.host.create_database()
    (made,) = forks.run(Job(["upgrade", "001"], config, template))
    assert made.code == 0, made
    killer = Killer(forks, templates.host, template, config, slow.REVISIONS, tmp_path)
    deaths = [killer.kill() for _ in range(KILLS)]
    templates.drop(template)
    assert len(deaths) == KILLS


@pytest.mark.parametrize("stock", [True, False], ids=("stock", "ours"))
def test_killed_between_two_statements_on_sqlite_stock_alembic_never_recovers_and_this_does(
    forks: Forks, sqlite_url: str, tmp_path: Path, stock: bool
) -> None:
    config = miniature(tmp_path / "animals", DIES_BETWEEN_TWO_STATEMENTS, stock=stock, url=sqlite_url)
    program = "alembic" if stock else "migrate.py"
    job = Job(["upgrade", "head"], config, sqlite_url, program=program)
    (killed,) = forks.run(Job(job.arguments, config, sqlite_url, program=program, environment={"DIE": "1"}))
    assert killed.code == -signal.SIGKILL
    tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'animals'"
    assert ask(sqlite_url, tables) == (1 if stock else 0)
    for _ in range(2):
        (again,) = forks.run(job)
        assert again.code == (1 if stock else 0), again
        assert ("already exists" in again.stderr) is stock


def test_a_run_killed_in_its_first_step_leaves_no_lock(forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "animals", DIES_BETWEEN_TWO_STATEMENTS)
    (killed,) = forks.run(Job(["upgrade"], config, database_url, environment={"DIE": "1"}))
    assert killed.code == -signal.SIGKILL
    (again,) = forks.run(Job(["--lock-wait", "20", "upgrade"], config, database_url))
    assert again.code == 0, again


def test_what_the_server_still_does_for_a_dead_run_is_named_and_waited_for_and_does_not_last(
    forks: Forks, postgres_url: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path / "animals", BEFORE, SLEEPS)
    (dying,) = forks.start(Job(["upgrade"], config, postgres_url, environment={"SLEEP": "600"}))
    until(lambda: ask(postgres_url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"))
    dying.kill()
    dying.wait()
    (result,) = forks.run(Job(["upgrade"], config, postgres_url, environment={"SLEEP": "0"}))
    assert result.code == 0, result
    assert f":{dying.pid} (pid " in result.stderr
    assert "it runs: SELECT pg_sleep(…" in result.stderr
    assert "Applied 1 revision" in result.stdout
