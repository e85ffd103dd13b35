"""A legacy database is at the revision whose schema it has, whoever made it and whatever its version table says."""

import json
import re
import shutil
from pathlib import Path

import pytest

from migrator import HistoryError, Migrator, StampRefused
from tests.adopt import legacy
from tests.adopt.legacy.past import create_all
from tests.adopt.legacy_databases import change_ddl, cli, columns, data, data_in, engine, is_sqlite
from tests.kit import CONFIG
from tests.kit.database import execute, heads, logged, rows, tables

PAST = ("001", "005", "007", "012")
OURS = {"alembic_version", "migration_log"}


@pytest.mark.parametrize("revision", PAST)
def test_what_create_all_made_is_recognised_stamped_and_upgraded_without_a_row_changed(
    database_url: str, revision: str
) -> None:
    create_all(database_url, revision)
    there, before = columns(database_url), data(database_url)
    found = engine(database_url).adopt(dry_run=True)
    assert (found.verdict.best.revision, found.verdict.best.exact, found.report) == (revision, True, None)
    assert OURS & tables(database_url) == set()
    done = engine(database_url).adopt(upgrade=True)
    assert done.report is not None
    assert (done.report.after, heads(database_url)) == (("012",), ["012"])
    assert data_in(database_url, there) == before
    assert logged(database_url)[0] == f"stamp {revision}"
    again = engine(database_url).adopt()
    assert (again.is_there, again.report) == (True, None)


def test_a_missing_index_is_named_and_mended_by_a_bridge(
    database_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(database_url, "005")
    execute(database_url, "DROP INDEX ix_datasets_user_id")
    before = data(database_url)
    done = cli(capsys, database_url, "adopt", "--accept-harmless", config=copy)
    assert done.code == 1
    assert "error: The database has the schema of no revision; the nearest is 005." in done.stderr
    assert "  005: 1 real, 0 harmless" in done.stderr
    assert "the index ix_datasets_user_id on datasets: (user_id) is missing" in done.stderr
    assert "adopt-no-match" in done.stderr
    assert OURS & tables(database_url) == set()
    bridged(database_url, copy, capsys, "005", "ix_datasets_user_id")
    assert data(database_url) == before
    assert engine(database_url).upgrade().after == ("012",)


def test_a_wider_varchar_harms_nothing(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    create_all(database_url, "007")
    old, new = "display_name VARCHAR(200)", "display_name VARCHAR(400)"
    change_ddl(database_url, "users", old, new, "ALTER TABLE users ALTER display_name TYPE VARCHAR(400)")
    done = cli(capsys, database_url, "adopt")
    assert done.code == 1
    assert "The database is at 007, but for differences that harm nothing." in done.stderr
    assert "users.display_name is VARCHAR(400) and should be VARCHAR(200) (harmless)" in done.stderr
    assert "adopt-harmless" in done.stderr
    assert heads(database_url) == []
    done = cli(capsys, database_url, "adopt", "--accept-harmless")
    assert (done.code, heads(database_url)) == (0, ["007"])
    assert "The schema is that of 007, but for 1 harmless difference;" in done.stdout


def test_another_name_of_an_index_another_order_and_another_spelling_harm_nothing(database_url: str) -> None:
    create_all(database_url, "001")
    execute(database_url, "DROP INDEX ix_users_tier", "CREATE INDEX users_by_tier ON users (tier)")
    change_ddl(
        database_url,
        "users",
        "DEFAULT 'free'",
        "DEFAULT ('free')",
        "ALTER TABLE users ALTER tier SET DEFAULT ('free')",
    )
    execute(database_url, "ALTER TABLE datasets DROP COLUMN row_count", "ALTER TABLE datasets ADD row_count BIGINT")
    with pytest.raises(StampRefused) as refused:
        engine(database_url).adopt()
    assert refused.value.code == "adopt-harmless"
    assert "the index ix_users_tier on users: (tier) is named users_by_tier" in refused.value.fields["differences"]
    assert "the columns of datasets stand in another order" in refused.value.fields["differences"]
    assert engine(database_url).adopt(accept_harmless=True, upgrade=True).report.after == ("012",)  # type: ignore[union-attr]


def test_a_shorter_varchar_is_real(database_url: str) -> None:
    create_all(database_url, "001", rows=False)
    old, new = "display_name VARCHAR(200)", "display_name VARCHAR(20)"
    change_ddl(database_url, "users", old, new, "ALTER TABLE users ALTER display_name TYPE VARCHAR(20)")
    with pytest.raises(StampRefused) as refused:
        engine(database_url).adopt(accept_harmless=True)
    assert refused.value.code == "adopt-no-match"
    assert heads(database_url) == []


def test_one_column_too_few_is_named_and_brought_by_the_bridge(
    database_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(database_url, "007")
    execute(database_url, "ALTER TABLE datasets DROP COLUMN purpose")
    there, before = columns(database_url), data(database_url)
    with pytest.raises(StampRefused) as refused:
        engine(database_url).adopt()
    assert refused.value.fields["best"] == "007"
    assert "the column datasets.purpose (TEXT) is missing" in refused.value.fields["differences"]
    execute(database_url, "ALTER TABLE datasets DROP COLUMN columns")
    there, before = columns(database_url), data(database_url)
    bridged(database_url, copy, capsys, "007", "'purpose'", "'columns'")
    assert data_in(database_url, there) == before
    assert engine(database_url).upgrade().after == ("012",)
    assert data_in(database_url, there) == before


def test_an_extra_table_is_listed_and_left_alone(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    create_all(database_url, "005")
    execute(database_url, "CREATE TABLE invoices (id INTEGER PRIMARY KEY)", "INSERT INTO invoices VALUES (7)")
    done = cli(capsys, database_url, "adopt", "--upgrade")
    assert (done.code, heads(database_url)) == (0, ["012"])
    assert "The schema is that of 005, exactly;" in done.stdout
    assert "Left alone, no revision makes them: invoices" in done.stdout
    assert rows(database_url, "SELECT id FROM invoices") == [7]


def test_another_check_is_real_and_mended_by_the_bridge(
    database_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(database_url, "007")
    change_ddl(
        database_url,
        "reports",
        "'executive', 'detailed'",
        "'executive', 'short'",
        "ALTER TABLE reports DROP CONSTRAINT ck_reports_report_type",
    )
    if not is_sqlite(database_url):
        execute(
            database_url,
            "ALTER TABLE reports ADD CONSTRAINT ck_reports_report_type CHECK "
            "(report_type IN ('standard', 'executive', 'short')) NOT VALID",
        )
    with pytest.raises(StampRefused) as refused:
        engine(database_url).adopt(accept_harmless=True)
    assert "the check ck_reports_report_type on reports" in refused.value.fields["differences"]
    assert "short" in refused.value.fields["differences"]
    before = data(database_url)
    bridged(database_url, copy, capsys, "007", "ck_reports_report_type")
    assert data(database_url) == before


def test_half_of_our_tables_is_no_revision(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    create_all(database_url, "007", rows=False)
    for name in ("reports", "chat_messages", "conversation_summaries", "usage_tracking"):
        execute(database_url, f"DROP TABLE {name}")
    done = cli(capsys, database_url, "adopt", "--json")
    document = json.loads(done.stdout)
    assert (done.code, document["exact"], document["stamped"]) == (1, False, False)
    words = [difference["text"] for match in document["matches"] for difference in match["differences"]]
    assert "the table usage_tracking is missing" in words
    assert len(document["matches"]) == 3
    assert OURS & tables(database_url) == set()


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
    assert (refused.value.code, refused.value.fields["tables"]) == ("adopt-foreign", "invoices")
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
    assert (document["said"], document["extra"], document["earlier"]) == ([], ["invoices"], [])
    assert document["matches"][0] == {"revision": "007", "differences": []}
    assert OURS & tables(database_url) == set()
    words = cli(capsys, database_url, "adopt", "--dry-run").stdout
    assert words.splitlines()[-1] == "Nothing was written."
    assert json.loads(cli(capsys, database_url, "adopt", "--json").stdout)["stamped"] is True


RUNNERS = {
    "_migrations": (
        "id INTEGER PRIMARY KEY, filename TEXT NOT NULL, applied_at TIMESTAMP",
        "(1, '001_first.sql', '2024-03-01 09:00:00'), (2, '002_second.sql', '2024-03-02 09:00:00')",
        [("001_first.sql", ""), ("002_second.sql", "")],
    ),
    "schema_migrations": (
        "version INTEGER PRIMARY KEY, applied_at TIMESTAMP, description TEXT",
        "(1, '2024-03-01 09:00:00', 'users'), (2, NULL, 'more')",
        [("1", "users"), ("2", "more")],
    ),
    "schema_migrations of Rails": ("version VARCHAR(255) PRIMARY KEY", "('20240301090000')", [("20240301090000", "")]),
    "schema_migrations of golang-migrate": (
        "version BIGINT PRIMARY KEY, dirty BOOLEAN NOT NULL",
        "(7, FALSE)",
        [("7", "")],
    ),
    '"SequelizeMeta"': ("name VARCHAR(255) PRIMARY KEY", "('1-a.js'), ('2-b.js')", [("1-a.js", ""), ("2-b.js", "")]),
    "knex_migrations": (
        "id INTEGER PRIMARY KEY, name VARCHAR(255), batch INTEGER, migration_time TIMESTAMP",
        "(1, '2024_a.js', 1, '2024-03-01 09:00:00')",
        [("2024_a.js", "")],
    ),
    "django_migrations": (
        "id INTEGER PRIMARY KEY, app VARCHAR(255), name VARCHAR(255), applied TIMESTAMP",
        "(1, 'shop', '0001_initial', '2024-03-01 09:00:00')",
        [("0001_initial", "shop")],
    ),
    "flyway_schema_history": (
        "installed_rank INTEGER PRIMARY KEY, version VARCHAR(50), description VARCHAR(200), type VARCHAR(20), "
        "script VARCHAR(1000), checksum INTEGER, installed_by VARCHAR(100), installed_on TIMESTAMP, "
        "execution_time INTEGER, success BOOLEAN",
        "(1, '1', 'init', 'SQL', 'V1__init.sql', 1, 'me', '2024-03-01 09:00:00', 5, TRUE), "
        "(2, NULL, 'views', 'SQL', 'R__views.sql', 1, 'me', '2024-03-01 09:00:00', 5, TRUE)",
        [("1", "init"), ("R__views.sql", "views")],
    ),
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_history_of_another_runner_is_shown_and_copied_once(
    database_url: str, runner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table, (definition, values, expected) = runner.partition(" of ")[0], RUNNERS[runner]
    create_all(database_url, "001", rows=False)
    execute(database_url, f"CREATE TABLE {table} ({definition})", f"INSERT INTO {table} VALUES {values}")
    before = rows(database_url, f"SELECT * FROM {table}")
    shown = cli(capsys, database_url, "adopt", "--dry-run").stdout
    for name, description in expected:
        assert f"{name} {description}".strip() in shown
    assert engine(database_url).adopt().earlier
    found = [
        (entry.revision, entry.description) for entry in engine(database_url).log() if entry.direction == "earlier"
    ]
    assert [name for name, _ in reversed(found)] == [name for name, _ in expected]
    for (_, said), (_, description) in zip(reversed(found), expected, strict=True):
        assert description in said
    execute(database_url, "DELETE FROM alembic_version")
    engine(database_url).adopt(upgrade=True)
    assert logged(database_url).count(f"earlier {expected[0][0]}") == 1
    assert rows(database_url, f"SELECT * FROM {table}") == before


def test_a_table_that_is_only_called_like_a_runner_s_is_no_history(database_url: str) -> None:
    create_all(database_url, "001", rows=False)
    execute(database_url, "CREATE TABLE _migrations (birds INTEGER)", "INSERT INTO _migrations VALUES (3)")
    done = engine(database_url).adopt()
    assert (done.earlier, heads(database_url)) == ((), ["001"])


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
            assert "Applied before by" in done.stdout


def _files(name: str, sqlite_url: str, postgres_url: str) -> list[tuple[str, str]]:
    return {
        "chat_agent": [(sqlite_url, legacy.CHAT_AGENT)],
        "typescript_agent": [(postgres_url, legacy.TYPESCRIPT_AGENT)],
        "sequelize": [(sqlite_url, legacy.SEQUELIZE["sqlite"]), (postgres_url, legacy.SEQUELIZE["postgresql"])],
        "prd_maker": [(sqlite_url, legacy.PRD_MAKER), (postgres_url, legacy.PRD_MAKER)],
    }[name]


def test_a_file_that_is_no_bridge_is_not_run(database_url: str, tmp_path: Path) -> None:
    create_all(database_url, "001", rows=False)
    execute(database_url, "DROP INDEX ix_users_tier")
    (tmp_path / "other.py").write_text("def upgrade(): raise SystemExit\n")
    for path in (tmp_path / "other.py", tmp_path / "missing.py"):
        with pytest.raises(HistoryError) as refused:
            engine(database_url).adopt(bridge=path)
        assert refused.value.code == "bridge-unusable"
    assert heads(database_url) == []


def test_a_bridge_that_does_not_arrive_is_rolled_back(database_url: str, copy: Path) -> None:
    create_all(database_url, "001")
    execute(database_url, "DROP INDEX ix_users_tier", "DROP INDEX ix_datasets_user_id")
    found = Migrator(copy, database_url=database_url).adopt(fix=True)
    assert found.bridge is not None
    text = re.sub(
        r"batch_op.create_index\('ix_users_tier'.*", "op.execute('DELETE FROM analyses')", found.bridge.read_text()
    )
    assert "DELETE" in text
    found.bridge.write_text(text)
    before = data(database_url), tables(database_url)
    with pytest.raises(StampRefused, match="ix_users_tier"):
        Migrator(copy, database_url=database_url).adopt(bridge=found.bridge)
    assert (data(database_url), tables(database_url)) == before


def bridged(url: str, config: Path, capsys: pytest.CaptureFixture[str], revision: str, *words: str) -> None:
    """Write the bridge, see that nothing ran and that it speaks of the words, then run it."""
    before = data(url), tables(url)
    done = cli(capsys, url, "adopt", "--fix", config=config)
    path = config.parent / "migrations" / "bridges" / f"to_{revision}.py"
    assert (done.code, done.stdout.splitlines()[0]) == (0, f"Written, not run: {path}")
    assert all(word in path.read_text() for word in words)
    assert (data(url), tables(url)) == before
    done = cli(capsys, url, "adopt", "--bridge", str(path), config=config)
    assert (done.code, heads(url)) == (0, [revision]), done


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The scaffold's history in a folder of its own, for what writes files."""
    shutil.copytree(CONFIG.parent / "migrations", tmp_path / "migrations", ignore=shutil.ignore_patterns("bridges"))
    shutil.copy2(CONFIG, tmp_path / "alembic.ini")
    return tmp_path / "alembic.ini"
