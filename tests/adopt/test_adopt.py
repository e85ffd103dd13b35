"""A legacy database is at the revision whose schema it has, whoever made it and whatever its version table says."""

import json

import pytest

from migrator import HistoryError
from tests.adopt import legacy
from tests.adopt.legacy.past import create_all
from tests.adopt.legacy_databases import cli, columns, data, data_in, engine
from tests.kit import BOOKKEEPING
from tests.kit.database import execute, heads, logged, rows, tables

PAST = ("001", "005", "007", "012")


@pytest.mark.parametrize("revision", PAST)
def test_what_create_all_made_is_recognised_stamped_and_upgraded_without_a_row_changed(
    database_url: str, revision: str
) -> None:
    create_all(database_url, revision)
    there, before = columns(database_url), data(database_url)
    found = engine(database_url).adopt(dry_run=True)
    assert (found.verdict.best.revision, found.verdict.best.exact, found.report) == (revision, True, None)
    assert set(BOOKKEEPING) & tables(database_url) == set()
    done = engine(database_url).adopt(upgrade=True)
    assert done.report is not None
    assert (done.report.after, heads(database_url)) == (("012",), ["012"])
    assert data_in(database_url, there) == before
    assert logged(database_url)[0] == f"stamp {revision}"
    again = engine(database_url).adopt()
    assert (again.is_there, again.report) == (True, None)


def test_an_extra_table_is_listed_and_left_alone(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    create_all(database_url, "005")
    execute(database_url, "CREATE TABLE invoices (id INTEGER PRIMARY KEY)", "INSERT INTO invoices VALUES (7)")
    done = cli(capsys, database_url, "adopt", "--upgrade")
    assert (done.code, heads(database_url)) == (0, ["012"])
    assert "The database has exactly the schema of revision 005;" in done.stdout
    assert "Left alone, because no revision creates them: invoices" in done.stdout
    assert rows(database_url, "SELECT id FROM invoices") == [7]


def test_an_empty_database_is_told_to_upgrade(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    execute(database_url)
    done = cli(capsys, database_url, "adopt")
    assert (done.code, done.stdout) == (2, "")
    assert "error: The database is empty: there is nothing to adopt." in done.stderr
    assert "adopt-empty" in done.stderr
    assert tables(database_url) == set()


def test_a_database_of_somebody_else_is_not_taken_for_ours(database_url: str) -> None:
    execute(database_url, "CREATE TABLE invoices (id INTEGER PRIMARY KEY)")
    with pytest.raises(HistoryError) as refused:
        engine(database_url).adopt(accept_harmless=True)
    assert (refused.value.code, refused.value.fields["tables"]) == ("adopt-foreign", ("invoices",))
    assert tables(database_url) == {"invoices"}


@pytest.mark.parametrize("lie", ["012", "001", "nobody_knows"])
def test_a_version_table_that_lies_is_put_right(database_url: str, lie: str) -> None:
    create_all(database_url, "005")
    before = data(database_url)
    execute(
        database_url,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        f"INSERT INTO alembic_version VALUES ('{lie}')",
    )
    found = engine(database_url).adopt(dry_run=True)
    assert (found.at, found.verdict.best.revision, found.is_there) == ((lie,), "005", False)
    assert engine(database_url).adopt().report.after == ("005",)  # type: ignore[union-attr]
    assert (heads(database_url), data(database_url)) == (["005"], before)
    assert engine(database_url).upgrade().after == ("012",)


def test_json_and_dry_run_say_all_and_write_nothing(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    create_all(database_url, "007", rows=False)
    execute(database_url, "CREATE TABLE invoices (id INTEGER PRIMARY KEY)")
    done = cli(capsys, database_url, "adopt", "--dry-run", "--json")
    document = json.loads(done.stdout)
    assert (done.code, document["revision"], document["exact"], document["stamped"]) == (0, "007", True, False)
    assert (document["at"], document["extra"], document["imported"]) == ([], ["invoices"], [])
    assert document["matches"][0] == {"revision": "007", "differences": []}
    assert set(BOOKKEEPING) & tables(database_url) == set()
    words = cli(capsys, database_url, "adopt", "--dry-run").stdout
    assert words.splitlines()[-1] == "Nothing was written."
    assert json.loads(cli(capsys, database_url, "adopt", "--json").stdout)["stamped"] is True


@pytest.mark.parametrize("name", ["chat_agent", "typescript_agent", "sequelize", "prd_maker"])
def test_a_database_of_another_make_is_not_stamped(
    name: str, sqlite_url: str, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for url, file in _files(name, sqlite_url, postgres_url):
        legacy.build(url, file)
        before = data(url), tables(url)
        done = cli(capsys, url, "adopt", "--accept-harmless")
        assert done.code == 1, done
        assert "The database has the schema of no revision" in done.stderr
        assert (data(url), tables(url)) == before
        if name != "prd_maker":
            assert "Applied by" in done.stdout


def _files(name: str, sqlite_url: str, postgres_url: str) -> list[tuple[str, str]]:
    return {
        "chat_agent": [(sqlite_url, legacy.CHAT_AGENT)],
        "typescript_agent": [(postgres_url, legacy.TYPESCRIPT_AGENT)],
        "sequelize": [(sqlite_url, legacy.SEQUELIZE["sqlite"]), (postgres_url, legacy.SEQUELIZE["postgresql"])],
        "prd_maker": [(sqlite_url, legacy.PRD_MAKER), (postgres_url, legacy.PRD_MAKER)],
    }[name]
