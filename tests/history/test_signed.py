"""With a key outside of the database, a text that somebody wrote into the log is neither shown nor run."""

from pathlib import Path

import pytest

from migrator import HistoryError, Migrator, SettingsError, StepFailed
from tests.history.histories import history
from tests.history.test_stored_texts import TEXT, put
from tests.kit.assertions import assert_refused, assert_says
from tests.kit.database import ask, execute, heads, rows, state, tables
from tests.kit.fork_server import Forks, Job
from tests.kit.projects import ANIMALS, PLANTS, STONES, miniature, revision_path

KEY = "0123456789abcdef, and not in the database"
TELLS_THE_KEY = """
def upgrade():
    raise RuntimeError(os.environ["MIGRATOR_LOG_KEY"])
"""


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Migrator:
    """A project with a key at 003, of whose files only 001 is left."""
    monkeypatch.setenv("MIGRATOR_LOG_KEY", KEY)
    made = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS, STONES), database_url=database_url)
    made.upgrade()
    for revision in ("002", "003"):
        revision_path(made.path, revision).unlink()
    return made


def test_what_the_engine_signed_goes_back(engine: Migrator, database_url: str) -> None:
    signatures = rows(database_url, "SELECT signature FROM migration_log")
    assert [len(signature) for signature in signatures] == [64] * 3
    assert len(set(signatures)) == 3
    assert engine.downgrade("001", run_stored=True).after == ("001",)


@pytest.mark.parametrize(
    "change",
    [
        "SET signature = NULL",
        "SET signature = 'é'",
        "SET signature = (SELECT max(signature) FROM migration_log WHERE revision = '002')",
        "SET source = (SELECT source FROM migration_log WHERE revision = '002'),"
        " signature = (SELECT signature FROM migration_log WHERE revision = '002'),"
        " checksum = (SELECT checksum FROM migration_log WHERE revision = '002')",
    ],
    ids=("none", "no hexadecimal", "another's", "another's with its text"),
)
def test_without_its_own_signature_a_text_is_not_even_shown(
    engine: Migrator, forks: Forks, database_url: str, change: str
) -> None:
    execute(database_url, f"UPDATE migration_log {change} WHERE revision = '003'")
    before = state(database_url)
    (result,) = forks.run(
        Job(["downgrade", "--yes"], str(engine.path), database_url, environment={"MIGRATOR_LOG_KEY": KEY})
    )
    assert_refused(result, "stored-text-unsigned", "revision 003", consequence="neither shown nor run")
    assert "drop_table" not in result.stderr
    for command in (engine.status, lambda: engine.downgrade(run_stored=True)):
        with pytest.raises(HistoryError) as refused:
            command()
        assert refused.value.code == "stored-text-unsigned"
    assert state(database_url) == before


def test_who_may_write_both_tables_but_has_no_key_runs_nothing(engine: Migrator, database_url: str) -> None:
    put(database_url, "evil", TEXT.format(revision="evil", parent="001"))
    with pytest.raises(HistoryError) as refused:
        engine.downgrade(run_stored=True)
    assert refused.value.code == "stored-text-unsigned"
    assert "it_ran" not in tables(database_url)
    keyless = Migrator(engine.path, database_url=database_url)
    assert keyless.settings.log_key == KEY
    object.__setattr__(keyless.settings, "log_key", None)
    assert keyless.downgrade(run_stored=True).after == ("001",)
    assert "it_ran" in tables(database_url)


def test_a_text_that_another_history_signed_is_not_its_own(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATOR_LOG_KEY", KEY)
    history(tmp_path / "other", database_url, STONES, PLANTS, version_table="other_version").upgrade()
    one = history(tmp_path / "one", database_url, ANIMALS)
    one.upgrade()
    execute(
        database_url,
        "UPDATE migration_log SET version_table = 'alembic_version' WHERE revision = '002'",
        "UPDATE alembic_version SET version_num = '002'",
    )
    with pytest.raises(HistoryError) as refused:
        one.downgrade(run_stored=True)
    assert refused.value.code == "stored-text-unsigned"


def test_the_key_is_in_no_output_and_not_in_the_log(
    forks: Forks, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = miniature(tmp_path / "project", TELLS_THE_KEY)
    environment = {"MIGRATOR_LOG_KEY": KEY}
    done = forks.run(*(Job(["upgrade", *more], config, database_url, environment=environment) for more in ([], ["-v"])))
    assert [result.code for result in done] == [2, 2]
    assert "RuntimeError: ***" in done[0].stderr
    assert KEY not in str(done)
    assert ask(database_url, "SELECT max(error) FROM migration_log") == "RuntimeError: ***"
    monkeypatch.setenv("MIGRATOR_LOG_KEY", KEY)
    engine = Migrator(config, database_url=database_url)
    with pytest.raises(StepFailed) as failed:
        engine.upgrade()
    assert KEY not in f"{failed.value} {failed.value.fields} {engine.settings}"
    assert heads(database_url) == []


@pytest.mark.parametrize("name", ["MIGRATOR_LOG_KEY", "MIGRATOR_LOG_KEYS"])
@pytest.mark.parametrize("value", ["", "hunter2"])
def test_a_key_that_is_too_short_or_misnamed_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        Migrator(miniature(tmp_path / "project", ANIMALS), database_url="sqlite://")
    assert_says(str(refused.value), "setting-refused", "LOG_KEY" if name.endswith("S") else "log_key")
    assert "hunter2" not in f"{refused.value} {refused.value.fields}"
