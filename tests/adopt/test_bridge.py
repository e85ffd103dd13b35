"""A bridge brings a legacy database to the schema of a revision: written, read, then run; rolled back when it does not arrive."""

import re
from pathlib import Path

import pytest

from migrator import HistoryError, Migrator, StampRefused
from tests.adopt import legacy
from tests.adopt.legacy.past import create_all
from tests.adopt.legacy_databases import change_ddl, cli, columns, data, data_in, engine, is_sqlite
from tests.kit import BOOKKEEPING
from tests.kit.database import execute, heads, indexes, rows, tables
from tests.kit.projects import copy_history, miniature


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The scaffold's history in a folder of its own, for what writes files."""
    return copy_history(tmp_path)


def bridged(url: str, config: Path, capsys: pytest.CaptureFixture[str], revision: str, *words: str) -> None:
    """Write the bridge, see that nothing ran and that it speaks of the words, then run it."""
    before = data(url), tables(url)
    done = cli(capsys, url, "adopt", "--fix", config=config)
    path = config.parent / "migrations" / "bridges" / f"to_{revision}.py"
    assert (done.code, done.stdout.splitlines()[:1]) == (0, [f"Written, not run: {path}"]), done.stderr
    assert all(word in path.read_text() for word in words)
    assert (data(url), tables(url)) == before
    done = cli(capsys, url, "adopt", "--bridge", str(path), config=config)
    assert (done.code, heads(url)) == (0, [revision]), done


def test_a_missing_index_is_named_and_mended_by_a_bridge(
    database_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(database_url, "005")
    execute(database_url, "DROP INDEX ix_datasets_user_id")
    before = data(database_url)
    done = cli(capsys, database_url, "adopt", "--accept-harmless", config=copy)
    assert done.code == 1
    assert "error: The database has the schema of no revision; the nearest is 005." in done.stderr
    assert "  - 005: 1 real, 0 harmless" in done.stderr
    assert "the index ix_datasets_user_id on datasets: (user_id) is missing" in done.stderr
    assert "adopt-no-match" in done.stderr
    assert set(BOOKKEEPING) & tables(database_url) == set()
    bridged(database_url, copy, capsys, "005", "ix_datasets_user_id")
    assert data(database_url) == before
    assert engine(database_url).upgrade().after == ("012",)


def test_one_column_too_few_is_named_and_brought_by_the_bridge(
    database_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(database_url, "007")
    execute(database_url, "ALTER TABLE datasets DROP COLUMN purpose")
    there, before = columns(database_url), data(database_url)
    with pytest.raises(StampRefused) as refused:
        engine(database_url).adopt()
    assert refused.value.fields["best"] == "007"
    assert "the column datasets.purpose (TEXT) is missing" in str(refused.value)
    execute(database_url, "ALTER TABLE datasets DROP COLUMN columns")
    there, before = columns(database_url), data(database_url)
    bridged(database_url, copy, capsys, "007", "'purpose'", "'columns'")
    assert data_in(database_url, there) == before
    assert engine(database_url).upgrade().after == ("012",)
    assert data_in(database_url, there) == before


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
    assert "the check ck_reports_report_type on reports" in str(refused.value)
    assert "short" in str(refused.value)
    before = data(database_url)
    bridged(database_url, copy, capsys, "007", "ck_reports_report_type")
    assert data(database_url) == before


def test_a_file_that_is_no_bridge_is_not_run(database_url: str, tmp_path: Path) -> None:
    create_all(database_url, "001", rows=False)
    execute(database_url, "DROP INDEX ix_users_tier")
    (tmp_path / "other.py").write_text("def upgrade(): raise SystemExit\n")
    for path in (tmp_path / "other.py", tmp_path / "missing.py"):
        with pytest.raises(HistoryError) as refused:
            engine(database_url).adopt(bridge=path)
        assert refused.value.code == "bridge-unusable"
    assert heads(database_url) == []


def test_a_bridge_that_commits_for_itself_is_rolled_back(
    database_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(database_url, "005")
    execute(database_url, "DROP INDEX ix_datasets_user_id")
    cli(capsys, database_url, "adopt", "--fix", config=copy)
    path = copy.parent / "migrations" / "bridges" / "to_005.py"
    path.write_text(re.sub(r"(?m)^    # ### end.*$|\Z", "    op.get_bind().commit()\n", path.read_text(), count=1))
    done = cli(capsys, database_url, "adopt", "--bridge", str(path), config=copy)
    assert (done.code, "#step-transaction-ended" in done.stderr) == (2, True), done
    assert f"\n  python migrate.py adopt --bridge {path}\n" in done.stderr
    assert "alembic_version" not in tables(database_url)
    assert "ix_datasets_user_id" not in indexes(database_url, "datasets")


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


def test_nothing_is_dropped_of_an_old_chat_agent_s_file(
    sqlite_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    legacy.build(sqlite_url, legacy.CHAT_AGENT)
    before = data(sqlite_url), columns(sqlite_url)
    done = cli(capsys, sqlite_url, "adopt", "--fix", config=copy)
    path = copy.parent / "migrations" / "bridges" / "to_005.py"
    assert (done.code, "bridge-incomplete" in done.stderr, "Written" in done.stdout) == (1, True, False), done
    assert "conversations.id is NOT NULL without a default, and there is no value for it in 2 rows" in done.stderr
    text = path.read_text()
    assert "# It converts 3 values of chat_messages.id from INTEGER to VARCHAR(36)." in text
    assert "# NOT FIXED: Revision 005 (to_005.py) changes the table chat_messages and would lose or break" in text
    assert not re.search(r"drop_table|drop_column|pass$|None, type_", text)
    cli(capsys, sqlite_url, "adopt", "--bridge", str(path), config=copy)
    assert (data(sqlite_url), columns(sqlite_url), heads(sqlite_url)) == (*before, [])


def test_extras_and_rows_stay_when_the_bridge_runs(
    database_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(database_url, "005")
    execute(
        database_url,
        "DROP INDEX ix_datasets_user_id",
        "ALTER TABLE datasets ADD COLUMN old_name TEXT",
        "CREATE INDEX by_old_name ON datasets (old_name)",
        "DROP TABLE analyses",
    )
    before = data(database_url)
    bridged(database_url, copy, capsys, "005", "# It creates the table analyses.", "on 20 rows of datasets.")
    assert {**data(database_url), "analyses": None} == {**before, "analyses": None}
    assert "by_old_name" in indexes(database_url, "datasets")


def test_values_that_do_not_fit_are_counted_and_no_bridge_is_offered(
    database_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(database_url, "001")
    old, new = "display_name VARCHAR(200)", "display_name VARCHAR(400)"
    change_ddl(database_url, "users", old, new, "ALTER TABLE users ALTER display_name TYPE VARCHAR(400)")
    execute(database_url, "DROP INDEX ix_users_tier", "UPDATE users SET display_name = display_name || 'x'")
    long = "x" * 300
    execute(database_url, f"UPDATE users SET display_name = '{long}' WHERE email = (SELECT min(email) FROM users)")
    before = data(database_url)
    done = cli(capsys, database_url, "adopt", "--fix", config=copy)
    assert (done.code, "Written" in done.stdout) == (1, False), done
    assert "users.display_name should be VARCHAR(200): " in done.stderr
    assert ("1 of 10 values" if is_sqlite(database_url) else "1 values would change") in done.stderr
    assert data(database_url) == before


def test_times_that_are_kept_as_text_are_converted_as_they_are_or_not_at_all(
    sqlite_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(sqlite_url, "001")
    change_ddl(sqlite_url, "users", "created_at DATETIME", "created_at TEXT", "")
    before = rows(sqlite_url, "SELECT created_at FROM users")
    execute(sqlite_url, "UPDATE users SET created_at = 'soon' WHERE email = (SELECT min(email) FROM users)")
    done = cli(capsys, sqlite_url, "adopt", "--fix", config=copy)
    assert (done.code, "1 of 10 values of created_at do not fit DATETIME, for example 'soon'" in done.stderr) == (
        1,
        True,
    )
    execute(sqlite_url, f"UPDATE users SET created_at = '{before[0]}' WHERE created_at = 'soon'")
    kept = rows(sqlite_url, "SELECT created_at FROM users")
    bridged(sqlite_url, copy, capsys, "001", "# It converts 10 values of users.created_at from TEXT to DATETIME.")
    assert rows(sqlite_url, "SELECT created_at FROM users") == kept


def test_no_file_is_written_where_no_operation_helps(
    sqlite_url: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_all(sqlite_url, "001", rows=False)
    execute(sqlite_url, "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END")
    done = cli(capsys, sqlite_url, "adopt", "--fix", config=copy)
    assert (done.code, "bridge-impossible" in done.stderr) == (1, True), done
    assert "the trigger t on users" in done.stderr
    assert not (copy.parent / "migrations" / "bridges").exists()


INLINE = """
def upgrade():
    key = sa.Column("id", sa.Integer, autoincrement=False, nullable=False)
    op.create_table("p", key, sa.PrimaryKeyConstraint("id", name="pk_p"))
    op.create_table(
        "c",
        sa.Column("p_id", sa.Integer, sa.ForeignKey("p.id", name="fk_c_p", ondelete="CASCADE")),
        sa.Column("n", sa.Integer),
        sa.Column("code", sa.String(20)),
        sa.CheckConstraint("n > 0", name="ck_c_n"),
        sa.CheckConstraint("code <> ''", name="ck_c_code"),
        sa.UniqueConstraint("code", name="uq_c_code"),
    )
"""
_PARENT = "CREATE TABLE p (id INTEGER {} PRIMARY KEY)"
_CHILD = (
    "CREATE TABLE c (p_id INTEGER {} REFERENCES p(id) ON DELETE CASCADE, n INTEGER {} CHECK (n > 0), code VARCHAR(20), "
)


@pytest.mark.parametrize(
    "named",
    [
        (_PARENT.format(""), _CHILD.format("", "") + "CONSTRAINT ck_c_code CHECK (code <> ''), UNIQUE (code))"),
        (
            _PARENT.format("CONSTRAINT other_pk"),
            "CREATE TABLE c (p_id INTEGER, n INTEGER CONSTRAINT other_ck CHECK (n > 0), code VARCHAR(20), "
            "CONSTRAINT other_fk FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE CASCADE, "
            "CONSTRAINT ck_c_code CHECK (code <> ''), CONSTRAINT other_uq UNIQUE (code))",
        ),
    ],
    ids=["without names", "with other names"],
)
def test_keys_and_rules_next_to_their_columns_get_their_names(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], named: tuple[str, str]
) -> None:
    config = Path(miniature(tmp_path / "project", INLINE))
    execute(database_url, *named, "INSERT INTO p VALUES (1)", "INSERT INTO c VALUES (1, 2, 'x')")
    bridged(database_url, config, capsys, "001", "fk_c_p", "ck_c_n", "uq_c_code", "pk_p")
    assert rows(database_url, "SELECT code FROM c") == ["x"]


def test_a_rule_without_a_name_that_says_something_else_is_not_fixed_in_words(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path(miniature(tmp_path / "project", INLINE))
    execute(sqlite_url, _PARENT.format("CONSTRAINT pk_p"), _CHILD.format("", "").replace("n > 0", "n > 1")[:-2] + ")")
    done = cli(capsys, sqlite_url, "adopt", "--fix", config=config)
    assert (done.code, "bridge-incomplete" in done.stderr) == (1, True), done
    assert "the check without a name on c: n>1 is there and should not be" in done.stderr
