"""An error says what the run knows: what it applied, where the database is; and "Nothing was changed." only where nothing was."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from migrator import DatabaseError, Migrator, StepFailed
from migrator.errors.progress import Progress, consequence
from migrator.results import Applied, Planned, Report
from tests.kit import CONFIG
from tests.kit.assertions import UNTOUCHED, assert_says
from tests.kit.database import execute, heads, tables
from tests.kit.doors import DOORS
from tests.kit.fork_server import Forks
from tests.kit.projects import ANIMALS, PLANTS, miniature, upgrading

FAILS = upgrading("op.create_table('half', sa.Column('id', sa.Integer)); raise RuntimeError('no')")
ALL = "Applied in this run and kept: 001 to 012 (12 revisions); the database is at 012."


def no_second_connection(url: str, *, after: str) -> sa.Engine:
    """An engine that connects to nothing once the database is at a revision."""
    engine = sa.create_engine(url, poolclass=NullPool)

    def refuse(*_: Any) -> None:
        if heads(url) == [after]:
            raise sa.exc.OperationalError("connect", None, RuntimeError("no more connections"))

    sa.event.listen(engine, "do_connect", refuse)
    return engine


def test_a_second_connection_that_fails_after_the_last_commit_hides_nothing(database_url: str) -> None:
    with pytest.raises(DatabaseError) as failed:
        Migrator(CONFIG, connection=no_second_connection(database_url, after="012")).upgrade()
    assert_says(str(failed.value), "database-unreachable", "no more connections", consequence=ALL)
    assert UNTOUCHED not in str(failed.value)
    assert failed.value.fields["applied"] == tuple(f"{number:03}" for number in range(1, 13))
    assert failed.value.fields["at"] == ("012",)
    assert failed.value.progress is not None
    assert [step.revision for step in failed.value.progress.applied] == list(failed.value.fields["applied"])
    assert heads(database_url) == ["012"]


@pytest.mark.parametrize("door", DOORS)
def test_a_step_that_fails_tells_what_came_before_it(
    forks: Forks, database_url: str, tmp_path: Path, door: str
) -> None:
    made = DOORS[door].make(tmp_path / "project", ANIMALS, PLANTS, FAILS, url=database_url)
    said = DOORS[door].run(forks, made, database_url, "upgrade", "head").stderr
    rolled_back = "The upgrade of 003 was rolled back; the database is at 002."
    assert_says(said, "step-failed", "Applied before it in this run and kept: 001, 002.", consequence=rolled_back)
    assert UNTOUCHED not in said
    assert (heads(database_url), "half" in tables(database_url)) == (["002"], False)
    said = DOORS[door].run(forks, made, database_url, "upgrade", "head").stderr
    assert rolled_back in said
    assert "Applied" not in said


def test_fields_are_data(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as failed:
        Migrator(miniature(tmp_path / "project", ANIMALS, FAILS), database_url=database_url).upgrade()
    fields = failed.value.fields
    assert (fields["applied"], fields["at"], fields["committed"]) == (("001",), ("001",), ())
    assert (fields["revision"], fields["path"], fields["direction"]) == ("002", "002_step.py", "upgrade")


def test_what_was_reverted_is_not_called_applied(database_url: str, tmp_path: Path) -> None:
    broken = ANIMALS.replace('op.drop_table("animals")', "raise RuntimeError('stays')")
    engine = Migrator(miniature(tmp_path / "project", broken, PLANTS), database_url=database_url)
    engine.upgrade()
    with pytest.raises(StepFailed) as failed:
        engine.downgrade("base")
    rolled_back = "The downgrade of 001 was rolled back; the database is at 001."
    assert_says(
        str(failed.value), "step-failed", "Reverted before it in this run and kept: 002.", consequence=rolled_back
    )


def test_an_error_before_the_first_step_changed_nothing(database_url: str, tmp_path: Path) -> None:
    engine = Migrator(miniature(tmp_path / "project", ANIMALS), database_url=database_url)
    engine.upgrade()
    execute(database_url, "UPDATE alembic_version SET version_num = 'elsewhere'")
    with pytest.raises(Exception, match=r"Nothing was changed\.") as failed:
        engine.upgrade()
    assert failed.value.progress.applied == ()  # type: ignore[attr-defined]


@pytest.mark.parametrize("arrives", [True, False])
def test_an_interrupt_during_a_commit_is_never_called_rolled_back(
    database_url: str, tmp_path: Path, arrives: bool
) -> None:
    engine = sa.create_engine(database_url, poolclass=NullPool)
    commit = engine.dialect.do_commit

    def interrupted(connection: Any) -> None:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SELECT count(*) FROM alembic_version WHERE version_num = '002'")
            second = cursor.fetchone()[0]
        if not second:
            commit(connection)
            return
        if arrives:
            commit(connection)
        raise KeyboardInterrupt

    project = miniature(tmp_path / "project", ANIMALS, PLANTS)
    Migrator(project, database_url=database_url).upgrade("001")
    engine.dialect.do_commit = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt) as ended:
        Migrator(project, connection=engine).upgrade()
    said = consequence(ended.value.progress)  # type: ignore[attr-defined]
    assert said.startswith("It is not known whether the upgrade of 002 was committed: the run ended during its COMMIT.")
    assert heads(database_url) == (["002"] if arrives else ["001"])
    assert Migrator(project, database_url=database_url).upgrade().after == ("002",)


PLANNED = Planned("003", "upgrade", "", Path("003.py"))
ONE = Applied("002", "upgrade", "", 0.1)
STAMP = Applied("001", "stamp", "", 0.1)


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (None, "Nothing was changed."),
        (Progress(("001",), at=("001",)), "Nothing was changed."),
        (Progress(running=PLANNED), "The upgrade of 003 was rolled back; the database is at base."),
        (
            Progress((), (ONE,), ("002",), PLANNED),
            "The upgrade of 003 was rolled back; the database is at 002. Applied before it in this run and kept: 002.",
        ),
        (Progress((), (ONE,), ("002",)), "Applied in this run and kept: 002; the database is at 002."),
        (
            Progress(("001",), (), ("001",)).after(Report("", (), ("001",), (STAMP,))),
            "Stamped in this run and kept: 001; the database is at 001.",
        ),
        (
            Progress(("001",), (ONE,), ("002",)).after(Report("", (), ("001",), (STAMP,))),
            "Stamped in this run and kept: 001; Applied in this run and kept: 002; the database is at 002.",
        ),
        (
            Progress(at=("001",), running=Planned("001", "stamp", "", Path())),
            "Nothing was stamped; the database is at 001.",
        ),
        (
            Progress(at=("002",), running=PLANNED, stayed=("CREATE INDEX i",)),
            "The version table still says 002, and statements that it committed before it failed remain.",
        ),
    ],
)
def test_the_consequence_in_words(progress: Progress | None, text: str) -> None:
    assert consequence(progress) == text
