"""What the files say against what was run: edited, slipped in, gone; and that all of it is known before the first write."""

from pathlib import Path

import pytest

from migrator import HistoryError, Migrator
from tests.kit import ROOT
from tests.kit.database import execute, heads, logged, rows, state, tables
from tests.kit.fork_server import Forks, Job
from tests.kit.projects import ANIMALS, PLANTS, STONES, miniature, revision_path, write_revisions


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Migrator:
    """A project of three revisions, two of them applied."""
    made = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS, STONES), database_url=database_url)
    made.upgrade("002")
    return made


def file(engine: Migrator, revision: str) -> Path:
    return revision_path(engine.path, revision)


def insert(engine: Migrator) -> None:
    """Put a revision between 001 and 002, which is applied."""
    text = file(engine, "003").read_text().replace("stones", "late")
    file(engine, "0015").write_text(text.replace('"003"', '"0015"').replace("'002'", "'001'"))
    second = file(engine, "002")
    second.write_text(second.read_text().replace("'001'", "'0015'"))


def test_status_tells_when_and_how_long_and_what_is_pending(engine: Migrator) -> None:
    first, second, third = engine.status().revisions
    for revision, entry in zip((second, first), engine.log(), strict=True):
        assert (revision.applied_at, revision.seconds) == (entry.finished_at, entry.duration_ms / 1000)
        assert (revision.applied, revision.edited) == (True, False)
    assert (third.applied, third.applied_at, third.seconds, third.edited) == (False, None, None, False)


def test_an_applied_file_that_was_edited_is_marked_and_warned_of(
    engine: Migrator, forks: Forks, database_url: str
) -> None:
    file(engine, "001").write_text(file(engine, "001").read_text() + "\n# another word\n")
    assert [revision.edited for revision in engine.status().revisions] == [True, False, False]
    status, upgrade = (forks.run(Job([name], str(engine.path), database_url))[0] for name in ("status", "upgrade"))
    assert "Revision 001.  (edited since it was applied)" in status.stdout.splitlines()[0]
    assert status.stdout.count("edited") == 1
    for result in (status, upgrade):
        assert "001_step.py has been edited since it was applied at 2" in result.stderr
    assert (upgrade.code, heads(database_url)) == (0, ["003"])


def test_a_pending_file_may_be_edited(engine: Migrator) -> None:
    file(engine, "003").write_text(file(engine, "003").read_text() + "\n# another word\n")
    assert not any(revision.edited for revision in engine.status().revisions)


@pytest.mark.parametrize("ends", [b"\r\n", b"\r"], ids=("windows", "old mac"))
def test_line_ends_are_no_edit(engine: Migrator, forks: Forks, database_url: str, ends: bytes) -> None:
    for revision in ("001", "002"):
        path = file(engine, revision)
        path.write_bytes(path.read_bytes().replace(b"\n", ends))
    assert not any(revision.edited for revision in engine.status().revisions)
    (result,) = forks.run(Job(["upgrade"], str(engine.path), database_url))
    assert (result.code, "edited" in result.stderr) == (0, False)


def test_one_applied_again_is_compared_with_what_ran_last(engine: Migrator) -> None:
    engine.downgrade("001")
    file(engine, "002").write_text(file(engine, "002").read_text() + "\n# another word\n")
    engine.upgrade()
    assert not any(revision.edited for revision in engine.status().revisions)


def test_a_revision_slipped_in_behind_an_applied_one_is_refused(engine: Migrator, database_url: str) -> None:
    insert(engine)
    before = state(database_url)
    for command in (engine.upgrade, engine.plan, engine.status):
        with pytest.raises(HistoryError) as refused:
            command()
        assert refused.value.code == "revision-inserted"
        when = engine.log()[0].when
        assert f"Revision 0015 (0015_step.py) was inserted before 002, which was applied at {when} without it." in str(
            refused.value
        )
        assert "`down_revision = '003'` in 0015_step.py" in str(refused.value)
    assert state(database_url) == before


def test_stock_alembic_never_runs_it_and_never_notices(forks: Forks, database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "stock", ANIMALS, PLANTS, STONES, stock=True, url=database_url)
    forks.run(Job(["upgrade", "002"], config, database_url, program="alembic"))
    insert(Migrator(config, database_url=database_url))
    (result,) = forks.run(Job(["upgrade", "head"], config, database_url, program="alembic"))
    assert (result.code, heads(database_url)) == (0, ["003"])
    assert "late" not in tables(database_url)


@pytest.mark.parametrize("command", ["upgrade", "status", "downgrade"])
def test_a_database_ahead_of_the_files_is_named_with_when_by_whom_and_from_which_file(
    engine: Migrator, database_url: str, command: str
) -> None:
    entry = engine.log()[0]
    file(engine, "002").unlink()
    file(engine, "003").unlink()
    with pytest.raises(HistoryError) as refused:
        getattr(engine, command)()
    assert refused.value.code == "database-ahead"
    known = f"it is at 002 (Revision 002.), applied at {entry.when} by {entry.who} from 002_step.py; no file for 002."
    assert known in str(refused.value)
    assert (heads(database_url), "plants" in tables(database_url)) == (["002"], True)


def test_a_database_that_not_even_the_log_can_explain_is_refused(engine: Migrator, database_url: str) -> None:
    execute(database_url, "UPDATE alembic_version SET version_num = 'elsewhere'")
    for command in (engine.upgrade, engine.downgrade, engine.status):
        with pytest.raises(HistoryError) as refused:
            command()
        assert refused.value.code == "database-unknown-revision"
        assert "The database is at elsewhere" in str(refused.value)
    assert rows(database_url, "SELECT version_num FROM alembic_version") == ["elsewhere"]


def test_a_version_table_that_has_a_revision_beside_its_ancestor_is_refused_and_mended(
    engine: Migrator, database_url: str
) -> None:
    execute(database_url, "INSERT INTO alembic_version VALUES ('001')")
    for command in (engine.upgrade, engine.downgrade, engine.status):
        with pytest.raises(HistoryError) as refused:
            command()
        assert refused.value.code == "heads-overlap"
    for _ in range(2):
        assert engine.stamp("002", purge=True, verify=False).after == ("002",)
        assert heads(database_url) == ["002"]
    assert engine.upgrade().after == ("003",)


@pytest.mark.parametrize(
    "broken",
    ["def upgrade(:", "import no_such_module", "revision = '001'", "down_revision = '000'", "del upgrade"],
    ids=("syntax", "import", "duplicate", "parent", "no upgrade"),
)
def test_a_broken_later_revision_keeps_the_first_from_being_applied(
    database_url: str, tmp_path: Path, broken: str
) -> None:
    body = f"{STONES}\n{broken}\n"
    engine = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS, body), database_url=database_url)
    with pytest.raises(HistoryError):
        engine.upgrade()
    assert tables(database_url) == set()
    write_revisions(tmp_path / "project", [STONES], first=3)
    assert len(engine.upgrade().steps) == 3
    assert logged(database_url) == ["001", "002", "003"]


def test_an_upgrade_needs_no_place_for_temporary_files(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose file system may only be read."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "is not there"))
    assert Migrator(ROOT / "alembic.ini", database_url=database_url).upgrade("001").after == ("001",)
