"""Two histories in one schema share the log's table, and neither sees the other's entries: their revisions have the same ids."""

from pathlib import Path

import pytest

from migrator import Migrator, StepFailed
from tests.history.histories import history
from tests.kit.database import ask, execute, rows, tables
from tests.kit.projects import ANIMALS, NOTHING, PLANTS, STONES, creates, revision_path

CLOUDS = creates("clouds")
COUNTS_TWICE = """
def upgrade():
    op.execute("UPDATE counted SET n = n + 1")
    with op.get_context().autocommit_block():
        op.execute("UPDATE counted SET n = n + 0")
        if Path(os.environ["FLAG"]).exists():
            raise RuntimeError("interrupted")
"""


@pytest.fixture
def one(database_url: str, tmp_path: Path) -> Migrator:
    return history(tmp_path / "one", database_url, ANIMALS, PLANTS)


@pytest.fixture
def other(database_url: str, tmp_path: Path) -> Migrator:
    return history(tmp_path / "other", database_url, STONES, CLOUDS, version_table="other_version")


def test_a_downgrade_by_a_stored_text_runs_its_own_and_not_that_of_the_other(
    one: Migrator, other: Migrator, database_url: str
) -> None:
    one.upgrade()
    other.upgrade()
    execute(database_url, "INSERT INTO clouds (id) VALUES (1), (2), (3)")
    revision_path(one.path, "002").unlink()
    assert one.downgrade("001", run_stored=True).after == ("001",)
    assert tables(database_url) >= {"animals", "stones", "clouds"}
    assert "plants" not in tables(database_url)
    assert (ask(database_url, "SELECT count(*) FROM clouds"), other.current()) == (3, ("002",))
    assert other.log(1)[0].revision == "002"
    assert [entry.direction for entry in other.log()] == ["upgrade", "upgrade"]


def interrupted(directory: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Migrator, Path]:
    """A history whose 002 has changed rows once and was interrupted in its block, and the file that interrupts it."""
    flag = directory.with_suffix(".flag")
    flag.touch()
    monkeypatch.setenv("FLAG", str(flag))
    execute(url, "CREATE TABLE counted (n INTEGER)", "INSERT INTO counted VALUES (100)")
    made = history(directory, url, NOTHING, COUNTS_TWICE)
    with pytest.raises(StepFailed):
        made.upgrade()
    return made, flag


def test_what_was_interrupted_in_one_stops_it_alone_and_a_stamp_of_the_other_does_not_forget_it(
    other: Migrator,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, flag = interrupted(tmp_path / "broken", database_url, monkeypatch)
    assert other.upgrade("001").after == ("001",)
    assert not any(revision.edited for revision in other.status().revisions)
    other.stamp("002", verify=False)
    assert not [text for text in caplog.messages if "edited" in text or "not finished" in text]
    flag.unlink()
    with pytest.raises(StepFailed) as refused:
        broken.upgrade()
    assert refused.value.code == "step-interrupted"
    assert rows(database_url, "SELECT n FROM counted") == [101]


def test_another_runners_history_is_imported_once_for_each(database_url: str, tmp_path: Path) -> None:
    serial = "INTEGER NOT NULL" if database_url.startswith("sqlite") else "SERIAL"
    execute(
        database_url,
        'CREATE TABLE "SequelizeMeta" (name VARCHAR(255) PRIMARY KEY)',
        "INSERT INTO \"SequelizeMeta\" VALUES ('first.js')",
        f"CREATE TABLE animals (id {serial}, PRIMARY KEY (id))",
        f"CREATE TABLE stones (id {serial}, PRIMARY KEY (id))",
    )
    for table, body in (("one_version", ANIMALS), ("other_version", STONES)):
        engine = history(tmp_path / table, database_url, body, version_table=table)
        engine.adopt(accept_harmless=True)
        assert sorted(entry.direction for entry in engine.log()) == ["imported", "stamp"]
