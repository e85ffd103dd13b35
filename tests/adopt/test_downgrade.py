"""Below the revision at which a database was adopted stand tables that no run of ours has made."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from migrator import HistoryError, Migrator
from tests.adopt.legacy.past import create_all
from tests.adopt.legacy_databases import cli, columns, data, data_in, engine
from tests.kit.database import execute, heads, logged, rows, tables
from tests.kit.doors import alembic_project
from tests.kit.projects import ANIMALS, PLANTS, miniature


def test_it_says_what_would_go_and_asks(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    create_all(database_url, "007")
    engine(database_url).adopt(upgrade=True)
    before = data(database_url), heads(database_url), logged(database_url)
    (count,) = rows(database_url, "SELECT count(*) FROM reports")
    done = cli(capsys, database_url, "downgrade", "006")
    assert (done.code, done.stdout) == (2, "")
    assert "error: This downgrade goes below the revision at which the database was adopted: 007" in done.stderr
    assert f"  - table reports with {count} rows" in done.stderr
    assert "downgrade-adopted" in done.stderr
    assert (data(database_url), heads(database_url), logged(database_url)) == before


def test_columns_are_named_too(database_url: str) -> None:
    create_all(database_url, "007", rows=False)
    engine(database_url).adopt()
    with pytest.raises(HistoryError) as refused:
        engine(database_url).downgrade("004")
    for text in ("table reports with 0 rows", "column datasets.notes", "column chat_messages.chart_data"):
        assert text in refused.value.fields["gone"]
    assert heads(database_url) == ["007"]


def test_yes_is_an_answer(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    create_all(database_url, "007")
    engine(database_url).adopt()
    there = {name: names for name, names in columns(database_url).items() if name != "reports"}
    before = data_in(database_url, there)
    done = cli(capsys, database_url, "downgrade", "--yes")
    assert (done.code, heads(database_url)) == (0, ["006"])
    assert "  - table reports with 10 rows" in done.stderr
    assert "reports" not in tables(database_url)
    assert data_in(database_url, there) == before


def test_what_ran_here_goes_down_unasked(database_url: str) -> None:
    create_all(database_url, "007")
    there, before = columns(database_url), data(database_url)
    engine(database_url).adopt(upgrade=True)
    assert engine(database_url).downgrade("007").after == ("007",)
    assert data_in(database_url, there) == before


@pytest.mark.parametrize("target", ["011", "010"])
def test_a_column_that_create_all_made_with_its_check_goes_down_too(database_url: str, target: str) -> None:
    create_all(database_url, "012")
    engine(database_url).adopt()
    engine(database_url).downgrade(target, drop_adopted=True)
    assert heads(database_url) == [target]
    gone = ("user_sessions", "status") if target == "010" else ("sections", "version")
    assert gone[1] not in columns(database_url)[gone[0]]
    there = columns(database_url)
    before = data_in(database_url, there)
    engine(database_url).upgrade()
    assert data_in(database_url, there) == before


def test_a_stamped_revision_that_would_delete_nothing_is_taken_back_unasked(database_url: str) -> None:
    engine(database_url).upgrade("006")
    engine(database_url).downgrade("005")
    engine(database_url).upgrade("006")
    engine(database_url).stamp("005", verify=False)
    engine(database_url).stamp("006")
    assert engine(database_url).downgrade("005").after == ("005",)


def test_what_stock_alembic_has_migrated_goes_down_without_a_replay(database_url: str, tmp_path: Path) -> None:
    """The second revision cannot be replayed: it wants a table that no revision makes. Nothing was stamped, so nobody asks for it."""
    execute(database_url, "CREATE TABLE settings (id INTEGER PRIMARY KEY)")
    needs = "def upgrade():\n    op.execute('INSERT INTO settings VALUES (1)')\n"
    stock = alembic_project("generic", changed=False)(tmp_path / "stock", ANIMALS, needs, PLANTS, url=database_url)
    command.upgrade(Config(stock), "head")
    ini = miniature(tmp_path / "ours", ANIMALS, needs, PLANTS)
    assert Migrator(ini, database_url=database_url).downgrade().after == ("002",)
    assert tables(database_url) == {"alembic_version", "migration_log", "settings", "animals"}
