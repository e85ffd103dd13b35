"""Conversions that a revision declares, and the same revision on both databases."""

import json
import re
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from migrator import Migrator, StepFailed
from migrator.types import GUID, UTCDateTime
from tests.adopt.legacy.past import create_all
from tests.adopt.legacy_databases import change_ddl, cli
from tests.kit.database import execute, rows
from tests.kit.projects import copy_history, miniature, upgrading
from tests.kit.scenario import project
from tests.sqlite.type_changes import A, B

CONVERTED = """
with op.batch_alter_table('t'{options}) as batch:
    batch.add_column(sa.Column('extra', sa.Text()))
    batch.alter_column('paid', type_=sa.Boolean(), postgresql_using="paid = 'yes'", sqlite_using="paid = 'yes'")
    batch.alter_column('price', type_=sa.Integer(), postgresql_using="round(price * 100)", sqlite_using="round(price * 100)")
    batch.alter_column('made', type_=sa.DateTime(), new_column_name='created',
        postgresql_using="to_timestamp(made) AT TIME ZONE 'UTC'", sqlite_using="strftime('%Y-%m-%d %H:%M:%S', made, 'unixepoch')")
"""


def test_a_declared_conversion_gives_the_same_rows_on_both_databases(database_url: str, tmp_path: Path) -> None:
    options = ", recreate='always'" if database_url.startswith("sqlite") else ""
    config = miniature(tmp_path, "def upgrade(): pass", upgrading(CONVERTED.format(options=options)))
    Migrator(config, database_url=database_url).upgrade("001")
    execute(
        database_url,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, paid VARCHAR(5), price NUMERIC(10, 2), made INTEGER)",
        "INSERT INTO t VALUES (1, 'yes', 19.99, 1715000000), (2, 'no', 0.5, 0), (3, NULL, NULL, NULL)",
    )
    Migrator(config, database_url=database_url).upgrade()
    columns = [sa.column("paid", sa.Boolean()), sa.column("price"), sa.column("created", sa.DateTime())]
    rows = read_rows(database_url, sa.select(*columns).select_from(sa.text("t")).order_by(sa.text("id")))
    assert rows == [
        (True, 1999, datetime(2024, 5, 6, 12, 53, 20)),
        (False, 50, datetime(1970, 1, 1)),
        (None, None, None),
    ]


# The new type, PostgreSQL's name for it, what the text was, and the value that both databases have to find.
EQUAL: dict[str, tuple[TypeEngine[Any], str, list[str], object]] = {
    "sa.DateTime()": (
        sa.DateTime(),
        "timestamp",
        ["2024-05-06 07:08:09.5", "2024-05-06T07:08:09.5"],
        datetime(2024, 5, 6, 7, 8, 9, 500000),
    ),
    "sa.Time()": (sa.Time(), "time", ["07:08", "07:08:00.0"], time(7, 8)),
    "sa.Date()": (sa.Date(), "date", ["2024-05-06T00:00", "2024-05-06 00:00"], date(2024, 5, 6)),
    "sa.Uuid()": (sa.Uuid(), "uuid", [B, A.upper()], UUID(A)),
    "sa.Uuid(as_uuid=False)": (sa.Uuid(as_uuid=False), "uuid", [B, B.upper()], B),
    "types.GUID()": (GUID(), "uuid", [A, B.upper()], UUID(A)),
    "types.UTCDateTime()": (
        UTCDateTime(),
        "timestamptz",
        ["2024-05-06T07:08:09.000Z", "2024-05-06 09:08:09+02:00"],
        datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    ),
}


def test_both_databases_find_a_value_in_whatever_spelling_it_came(database_url: str, tmp_path: Path) -> None:
    lines = [
        f"batch.alter_column('v{at}', type_={kind}, postgresql_using='v{at}::{name}')"
        for at, (kind, (_, name, _, _)) in enumerate(EQUAL.items())
    ]
    body = "\n    ".join(["from migrator import types", "with op.batch_alter_table('t') as batch:", *lines])
    config = miniature(tmp_path, "def upgrade(): pass", upgrading(body.replace("types\n    ", "types\n")))
    Migrator(config, database_url=database_url).upgrade("001")
    texts = [", ".join(f"'{text}'" for text in row) for row in zip(*(case[2] for case in EQUAL.values()), strict=True)]
    columns = ", ".join(f"v{at} TEXT" for at in range(len(EQUAL)))
    execute(database_url, f"CREATE TABLE t ({columns})", *(f"INSERT INTO t VALUES ({row})" for row in texts))
    Migrator(config, database_url=database_url).upgrade()
    for at, (kind, (type_, _, old, value)) in enumerate(EQUAL.items()):
        column = sa.column(f"v{at}", type_)
        found = read_rows(database_url, sa.select(column).select_from(sa.table("t")).where(column == value))
        assert found == [(value,)] * len(old), kind


NARROWED = "with op.batch_alter_table('t') as batch:\n    batch.alter_column('v', type_={})"


@pytest.mark.parametrize(
    ("declared", "new", "value"),
    [
        ("VARCHAR(30)", "sa.String(3)", "'abcd'"),
        ("BIGINT", "sa.Integer()", "3000000000"),
        ("TEXT", "sa.BigInteger(), postgresql_using='v::bigint'", "'-9223372036854775809'"),
    ],
)
def test_both_databases_refuse_a_value_that_does_not_fit(
    database_url: str, declared: str, new: str, value: str, tmp_path: Path
) -> None:
    config = miniature(tmp_path, "def upgrade(): pass", upgrading(NARROWED.format(new)))
    Migrator(config, database_url=database_url).upgrade("001")
    execute(
        database_url, f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})", f"INSERT INTO t VALUES (1, {value})"
    )
    with pytest.raises(StepFailed):
        Migrator(config, database_url=database_url).upgrade()
    assert read_rows(database_url, sa.text("SELECT v FROM t")) == [(literal_value(value),)]


def literal_value(text: str) -> Any:
    return json.loads(text.replace("'", '"'))


def read_rows(url: str, question: sa.Executable) -> list[Any]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(question).all()]
    engine.dispose()
    return rows


ITEMS = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w INTEGER AS (id + 1)); INSERT INTO t (v) VALUES ('12'), ('abc'), ('x');"


def using(expression: str) -> str:
    return f"with op.batch_alter_table('t') as batch:\n    batch.alter_column('v', type_=sa.Integer(), sqlite_using={expression!r})"


@pytest.mark.parametrize(
    ("expression", "code", "words"),
    [
        (
            "substr(v, 1, 1)",
            "values-unfit",
            "2 of 3 values of v that sqlite_using makes do not fit INTEGER, for example 'a'",
        ),
        ("max(length(v))", "step-failed", "misuse of aggregate function"),
        ("is_not_there(v)", "step-failed", "no such function: is_not_there"),
    ],
)
def test_what_a_declared_conversion_makes_is_looked_at_too(
    expression: str, code: str, words: str, tmp_path: Path
) -> None:
    with project(tmp_path, upgrading(using(expression)), before=ITEMS) as ours:
        with pytest.raises(StepFailed, match=re.escape(words)) as caught:
            ours.upgrade()
        assert caught.value.code == code
        assert ours.ask("SELECT v FROM t") == ["12", "abc", "x"]


def test_a_conversion_without_a_type_is_a_mistake(tmp_path: Path) -> None:
    body = "with op.batch_alter_table('t') as batch:\n    batch.alter_column('v', nullable=True, sqlite_using='1')"
    with project(tmp_path, upgrading(body), before=ITEMS) as ours, pytest.raises(StepFailed, match="type_ parameter"):
        ours.upgrade()


def test_sql_for_a_file_converts_nothing_but_what_is_declared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = (
        "given = sa.Table('t', sa.MetaData(), sa.Column('v', sa.Text()), sa.Column('w', sa.Text()))\n"
        "with op.batch_alter_table('t', copy_from=given) as batch:\n"
        "    batch.alter_column('v', type_=sa.DateTime())\n"
        "    batch.alter_column('w', type_=sa.Integer(), sqlite_using='length(w)')"
    )
    config = Path(miniature(tmp_path, upgrading(body)))
    done = cli(capsys, f"sqlite:///{tmp_path / 'a.db'}", "upgrade", "head", "--sql", config=config)
    assert "SELECT t.v, (length(w))" in " ".join(done.stdout.split())


def test_a_bridge_keeps_the_timestamps_of_a_database_that_holds_them_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As hand-written SQLite schemas do; stock Alembic's batch makes 2024 of each."""
    url = f"sqlite:///{tmp_path / 'legacy.db'}"
    create_all(url, "012")
    change_ddl(url, "users", "created_at DATETIME", "created_at TEXT", "")
    change_ddl(url, "users", "updated_at DATETIME", "updated_at TEXT", "")
    question = "SELECT created_at, updated_at FROM users ORDER BY id"
    before = rows(url, question)
    config = copy_history(tmp_path)
    cli(capsys, url, "adopt", "--fix", config=config)
    path = config.parent / "migrations" / "bridges" / "to_012.py"
    done = cli(capsys, url, "adopt", "--bridge", str(path), config=config)
    assert done.code == 0, done
    assert "DATETIME" in rows(url, "SELECT sql FROM sqlite_master WHERE name = 'users'")[0]
    assert before
    assert rows(url, question) == before
