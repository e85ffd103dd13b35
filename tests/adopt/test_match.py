"""Which differences from a revision's schema harm nothing, and which keep a database from being adopted."""

import json

import pytest

from migrator import StampRefused
from tests.adopt import legacy
from tests.adopt.legacy.past import create_all
from tests.adopt.legacy_databases import change_ddl, cli, engine
from tests.kit import BOOKKEEPING
from tests.kit.database import execute, heads, tables


def test_a_wider_varchar_harms_nothing(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    create_all(database_url, "007")
    old, new = "display_name VARCHAR(200)", "display_name VARCHAR(400)"
    change_ddl(database_url, "users", old, new, "ALTER TABLE users ALTER display_name TYPE VARCHAR(400)")
    done = cli(capsys, database_url, "adopt")
    assert done.code == 1
    assert "The database matches 007, apart from harmless differences." in done.stderr
    assert "users.display_name is VARCHAR(400) and should be VARCHAR(200) (harmless)" in done.stderr
    assert "adopt-harmless" in done.stderr
    assert heads(database_url) == []
    done = cli(capsys, database_url, "adopt", "--accept-harmless")
    assert (done.code, heads(database_url)) == (0, ["007"])
    assert "The database has the schema of revision 007, apart from 1 harmless difference;" in done.stdout


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
    assert "the index ix_users_tier on users: (tier) is named users_by_tier" in str(refused.value)
    assert "the columns of datasets stand in another order" in str(refused.value)
    assert engine(database_url).adopt(accept_harmless=True, upgrade=True).report.after == ("012",)  # type: ignore[union-attr]


def test_a_shorter_varchar_is_real(database_url: str) -> None:
    create_all(database_url, "001", rows=False)
    old, new = "display_name VARCHAR(200)", "display_name VARCHAR(20)"
    change_ddl(database_url, "users", old, new, "ALTER TABLE users ALTER display_name TYPE VARCHAR(20)")
    with pytest.raises(StampRefused) as refused:
        engine(database_url).adopt(accept_harmless=True)
    assert refused.value.code == "adopt-no-match"
    assert heads(database_url) == []


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
    assert set(BOOKKEEPING) & tables(database_url) == set()


def test_the_nearest_revision_is_the_one_that_loses_nothing(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    legacy.build(sqlite_url, legacy.CHAT_AGENT)  # the tables of 002 to 005, and none of 001
    document = json.loads(cli(capsys, sqlite_url, "adopt", "--json").stdout)
    assert [match["revision"] for match in document["matches"]] == ["005", "006", "007"]
    left_alone = {(each["table"], each["object"]) for each in document["left_alone"]}
    assert {("chat_messages", "results"), ("chat_messages", "idx_messages_role_lower")} <= left_alone
    too_much = [d for match in document["matches"] for d in match["differences"] if d["wanted"] is None]
    assert {each["kind"] for each in too_much} & {"table", "column", "index"} == set()


def test_a_column_that_a_later_revision_makes_is_nearer_to_that_one(sqlite_url: str) -> None:
    create_all(sqlite_url, "005", rows=False)
    execute(sqlite_url, "ALTER TABLE datasets ADD COLUMN context TEXT")
    with pytest.raises(StampRefused) as refused:
        engine(sqlite_url).adopt()
    assert refused.value.fields["best"] == "006"
