"""A column that gets another type keeps every value that SQLAlchemy reads the same; the step stops before it changes another.

Stock Alembic copies through a CAST, which makes 2024 of a timestamp and 0 of a document, and exits with 0.
"""

import re
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from migrator import StepFailed
from migrator.types import GUID, JSONDocument, UTCDateTime
from tests.kit.projects import upgrading
from tests.kit.scenario import Scenario, project

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::sqlalchemy.exc.SAWarning"
)  # stock Alembic's own

TYPES = "from migrator.types import GUID, JSONDocument, UTCDateTime\n"
A, B = "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"

# The old declared type, the new one, what is stored, and what is stored afterwards.
KEPT: dict[str, tuple[str, str, list[Any], list[Any]]] = {
    "text to DateTime": ("TEXT", "sa.DateTime()", ["2024-05-06 07:08:09", "2024-05-06 07:08:09.123456", None], []),
    "text to DateTime, other spellings": (
        "TEXT",
        "sa.DateTime()",
        ["2024-05-06T07:08:09", "2024-05-06", "2024-05-06 07:08", "2024-05-06 07:08:09.5"],
        [
            "2024-05-06 07:08:09.000000",
            "2024-05-06 00:00:00.000000",
            "2024-05-06 07:08:00.000000",
            "2024-05-06 07:08:09.500000",
        ],
    ),
    "zeros below a microsecond": (
        "TEXT",
        "sa.DateTime()",
        ["2024-05-06 07:08:09.1234560"],
        ["2024-05-06 07:08:09.123456"],
    ),
    "text with zones to a DateTime with zones": (
        "TEXT",
        "sa.DateTime(timezone=True)",
        ["2024-05-06T07:08:09+02:00"],
        [],
    ),
    "date to DateTime": ("DATE", "sa.DateTime()", ["2024-05-06", None], ["2024-05-06 00:00:00.000000", None]),
    "midnights to Date": (
        "DATETIME",
        "sa.Date()",
        ["2024-05-06 00:00:00.000000", "2024-05-06T00:00"],
        ["2024-05-06"] * 2,
    ),
    "string to TIMESTAMP": ("VARCHAR(30)", "sa.TIMESTAMP()", ["2024-05-06 07:08:09"], []),
    "text to UTCDateTime": (
        "TEXT",
        "UTCDateTime()",
        [
            "2024-05-06 07:08:09",
            "2024-05-06T07:08:09+02:00",
            "2024-05-06T07:08:09Z",
            "2024-05-06",
            "2024-05-06 07:08:09.000000",
        ],
        [
            "2024-05-06 07:08:09",
            "2024-05-06 05:08:09",
            "2024-05-06 07:08:09",
            "2024-05-06 00:00:00",
            "2024-05-06 07:08:09",
        ],
    ),
    "text to Time": ("TEXT", "sa.Time()", ["07:08:09", "07:08"], ["07:08:09", "07:08:00.000000"]),
    "text to JSONDocument": ("TEXT", "JSONDocument()", ['{"a":1}', "[1, 2]", '"x"', "true", "null"], []),
    "text of numbers to JSON": ("TEXT", "sa.JSON()", ["12", "1.5"], [12, 1.5]),
    "text to Boolean": ("TEXT", "sa.Boolean()", ["1", "0", None], [1, 0, None]),
    "integer to Boolean": ("INTEGER", "sa.Boolean()", [1, 0], []),
    "text to Integer": ("TEXT", "sa.Integer()", ["12", " 12 ", "-7", "+5", "007"], [12, 12, -7, 5, 7]),
    "long text to BigInteger": (
        "TEXT",
        "sa.BigInteger()",
        ["9223372036854775807", "-9223372036854775808"],
        [2**63 - 1, -(2**63)],
    ),
    "whole numbers to Integer": ("NUMERIC(10, 2)", "sa.Integer()", [19, 20], []),
    "text to Numeric": ("TEXT", "sa.Numeric(10, 2)", ["19.99", "20", "-0.5"], [19.99, 20, -0.5]),
    "text to Float": ("TEXT", "sa.Float()", ["0.1", "1e3", "1"], [0.1, 1000.0, 1.0]),
    "integer to Float": ("BIGINT", "sa.Float()", [2**53, -1], [2.0**53, -1.0]),
    "integer to text": ("INTEGER", "sa.Text()", [12, 2**60], ["12", str(2**60)]),
    "float to text": ("FLOAT", "sa.Text()", [0.1, 1.5], ["0.1", "1.5"]),
    "text to GUID": ("TEXT", "GUID()", [B, A, B.upper()], [B, B, B]),
    "text to Uuid": ("TEXT", "sa.Uuid()", [A, B], [A, A]),
    "text to Uuid that is text in Python": ("TEXT", "sa.Uuid(as_uuid=False)", [A, B, B.upper()], [A, A, A]),
    "string to Enum": ("VARCHAR(4)", "sa.Enum('red', \"it's\")", ["red", "it's", None], []),
    "float to REAL": ("FLOAT", "sa.REAL()", [0.1, 123456.0, 16777216.0, -1e-45, 0.33333334], []),
    "large integer to FLOAT(24)": ("BIGINT", "sa.Float(24)", [2**24, 2**25], [2.0**24, 2.0**25]),
    "float to REAL on SQLite only": ("FLOAT", "sa.Double().with_variant(sa.REAL(), 'sqlite')", [0.1234567890123], []),
    "float to Numeric that is a float in Python": ("FLOAT", "sa.Numeric(10, 2, asdecimal=False)", [19.5, 20.25], []),
    "CHAR to text": ("CHAR(5)", "sa.Text()", ["abc", ""], []),
    "text to CHAR": ("TEXT", "sa.CHAR(3)", ["abc", "äö "], []),
    "bytes to bytes": ("BLOB", "sa.LargeBinary(20)", [b"\x00\xff"], []),
    "a longer string": ("VARCHAR(3)", "sa.String(5)", ["12345678"], []),  # as long before: PostgreSQL could not have it
    "no longer than it may be": ("VARCHAR(30)", "sa.String(3)", ["abc", "äöü"], []),
    "a type of somebody's own": ("TEXT", "sa.dialects.sqlite.NUMERIC()", ["12", "1.5"], [12, 1.5]),
}
# The old declared type, the new one, a value that it takes as well, and values that it would change.
UNFIT: dict[str, tuple[str, str, Any, list[Any]]] = {
    "text to DateTime": ("TEXT", "sa.DateTime()", "2024-05-06", ["soon", "2024-02-31", "2024", "1715000000", "", b"x"]),
    "below a microsecond": (
        "TEXT",
        "sa.DateTime()",
        "2024-05-06",
        ["2024-05-06T07:08:09.1234567", "2024-05-06 07:08:09.0000001", "2024-05-06 07:08:09.12345601"],
    ),
    "below a microsecond in UTC": ("TEXT", "UTCDateTime()", "2024-05-06", ["2024-05-06T07:08:09.1234567Z"]),
    "below a microsecond of a Time": ("TEXT", "sa.Time()", "07:08", ["23:59:59.9999999"]),
    "string to Enum": ("VARCHAR(4)", "sa.Enum('red', 'green')", "red", ["zzzz", "RED", ""]),
    "a member less": ("VARCHAR(5) COLLATE NOCASE", "sa.Enum('red', 'light green')", "red", ["green", "Red"]),
    "float to REAL": ("FLOAT", "sa.REAL()", 0.1, [0.1234567890123, 16777217.0, 1e39, 1e-60, 0.10000000149011612]),
    "integer to REAL": ("INTEGER", "sa.REAL()", 2**24, [2**24 + 1, 2**30]),
    "integer to FLOAT(24)": ("INTEGER", "sa.Float(24)", 2**24, [2**24 + 1]),
    "float to Numeric that is a float in Python": (
        "FLOAT",
        "sa.Numeric(10, 2, asdecimal=False)",
        19.99,
        [19.999, 1e-9],
    ),
    "fractions to Numeric without a scale": ("FLOAT", "sa.Numeric(10)", 19, [19.5]),
    "blanks that PostgreSQL cuts off": ("CHAR(5)", "sa.Text()", "abc", ["abc  "]),
    "blanks of a CHAR that becomes a string": ("CHAR(5)", "sa.String(9)", "abc", ["abc  "]),
    "blanks that PostgreSQL fills in": ("VARCHAR(5)", "sa.CHAR(10)", None, ["abc", ""]),
    "a CHAR of one": ("VARCHAR(5)", "sa.CHAR()", "a", ["", "ab"]),
    "zones that are not kept": (
        "TEXT",
        "sa.DateTime()",
        "2024-05-06",
        ["2024-05-06T07:08:09+02:00", "2024-05-06 07:08:09Z"],
    ),
    "times to Date": ("DATETIME", "sa.Date()", "2024-05-06 00:00:00", ["2024-05-06 07:08:09.000000"]),
    "seconds to DateTime": ("INTEGER", "sa.DateTime()", None, [1715000000]),
    "text to UTCDateTime": ("TEXT", "UTCDateTime()", "2024-05-06", ["soon", "12:00"]),
    "text to JSONDocument": (
        "TEXT",
        "JSONDocument()",
        "{}",
        ["hello", "{", "NaN", "007", "12345678901234567890", b"{}"],
    ),
    "text to Boolean": ("TEXT", "sa.Boolean()", "1", ["true", "false", "yes", "2", ""]),
    "integer to Boolean": ("INTEGER", "sa.Boolean()", 1, [2, -1]),
    "boolean to text": ("BOOLEAN", "sa.Text()", None, [1, 0]),
    "text to Integer": (
        "TEXT",
        "sa.Integer()",
        "12",
        ["abc", "6f1c-uuid", "12.0", "1e3", "", "3000000000", "0x1A", b"12"],
    ),
    "very long text to BigInteger": (
        "TEXT",
        "sa.BigInteger()",
        "12",
        ["9223372036854775808", "-9223372036854775809", "1" * 40],
    ),
    "fractions to Integer": ("NUMERIC(10, 2)", "sa.Integer()", 19, [19.99]),
    "large to small": ("BIGINT", "sa.SmallInteger()", 32767, [32768, -32769]),
    "text to Numeric": ("TEXT", "sa.Numeric(10, 2)", "1.50", ["19.999", "123456789", "1,5", "NaN", "1_000"]),
    "digits that a REAL lacks": ("TEXT", "sa.Numeric(38, 18)", "1.5", ["19.99", "0.123456789012345678"]),
    "a smaller scale": ("NUMERIC(38, 18)", "sa.Numeric(10, 2)", 1.25, [1.255, 10**8]),
    "float to Numeric": ("FLOAT", "sa.Numeric(10, 2)", 0.5, [0.30000000000000004]),
    "text to Float": ("TEXT", "sa.Float()", "0.1", ["0.1234567890123456789", "x", "1_0"]),
    "large integer to Float": ("BIGINT", "sa.Float()", 2**53, [2**53 + 1]),
    "float to text": ("FLOAT", "sa.Text()", 0.1, [0.30000000000000004]),
    "text to GUID": ("TEXT", "GUID()", B, ["", "6f1c-uuid", A + "0"]),
    "text to bytes": ("TEXT", "sa.LargeBinary()", b"x", ["x"]),
    "bytes to text": ("BLOB", "sa.Text()", "x", [b"x"]),
    "a string that is too long": ("VARCHAR(30)", "sa.String(3)", "abc", ["abcd", "äöüß"]),
    "text that is too long": ("TEXT", "sa.String(3)", "abc", ["abcd"]),
    "numbers that are too long": ("INTEGER", "sa.String(3)", 123, [1234]),
}


def table(cases: dict[str, list[Any]], declared: list[str]) -> list[str]:
    """The SQL of a table `t` with a column of these values for each case; the rest of a column is NULL."""
    rows = [*zip_longest(*cases.values())]
    names = [f"v{at}" for at in range(len(cases))]
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(names, declared, strict=True))
    made = [f"CREATE TABLE t (id INTEGER PRIMARY KEY, {columns});"]
    return made + [f"INSERT INTO t ({', '.join(names)}) VALUES ({', '.join(map(literal, row))});" for row in rows]


def literal(value: Any) -> str:
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def retyped(*kinds: str) -> str:
    """The body of a revision that changes the columns' types, all in one batch."""
    lines = [f"    batch.alter_column('v{at}', type_={kind})" for at, kind in enumerate(kinds)]
    return "\n".join(["with op.batch_alter_table('t') as batch:", *lines])


def test_values_that_mean_the_same_stay(tmp_path: Path) -> None:
    before = table({case: old for case, (_, _, old, _) in KEPT.items()}, [case[0] for case in KEPT.values()])
    body = TYPES + upgrading(retyped(*(case[1] for case in KEPT.values())))
    with project(tmp_path, body, before="".join(before)) as ours:
        ours.upgrade()
        for at, (case, (_, _, old, new)) in enumerate(KEPT.items()):
            stored = ours.ask(f"SELECT v{at} FROM t ORDER BY id LIMIT {len(old)}")
            assert list(map(repr, stored)) == list(map(repr, new or old)), case


def test_values_that_would_change_stop_the_step_before_the_copy(tmp_path: Path) -> None:
    before = table(
        {case: [good, *bad] for case, (_, _, good, bad) in UNFIT.items()}, [case[0] for case in UNFIT.values()]
    )
    body = TYPES + upgrading(retyped(*(case[1] for case in UNFIT.values())))
    with project(tmp_path, body, before="".join(before)) as ours:
        rows, statements = ours.ask("SELECT * FROM t"), watched(ours)
        with pytest.raises(StepFailed) as caught:
            ours.upgrade()
        assert caught.value.code == "values-unfit"
        assert not any("_alembic_tmp_" in statement for statement in statements)
        assert ours.ask("SELECT * FROM t") == rows
        told = caught.value.fields["unfit"]
        for at, (case, (_, _, _, bad)) in enumerate(UNFIT.items()):
            words = f"t: {len(bad)} of {len(rows)} values of v{at} do not fit "
            assert any(line.startswith(words) and line.endswith(repr(bad[0])[:40]) for line in told), (case, told)


def watched(made: Scenario) -> list[str]:
    """Every statement from now on."""
    found: list[str] = []
    sa.event.listen(made.engine, "before_cursor_execute", lambda *executed: found.append(executed[2]))
    return found


def test_what_is_kept_reads_the_same_through_sqlalchemy(tmp_path: Path) -> None:
    kinds = {
        "UTCDateTime()": ("'2024-05-06 07:08:09'", UTCDateTime(), datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        "JSONDocument()": ("'{\"a\":1}'", JSONDocument(), {"a": 1}),
        "GUID()": (f"'{B}'", GUID(), UUID(A)),
        "sa.DateTime()": ("'2024-05-06'", sa.DateTime(), datetime(2024, 5, 6)),
        "sa.Boolean()": ("'1'", sa.Boolean(), True),
    }
    names = [f"v{at}" for at in range(len(kinds))]
    before = f"CREATE TABLE t ({' TEXT, '.join(names)} TEXT); INSERT INTO t VALUES ({', '.join(k[0] for k in kinds.values())})"
    read = sa.table("t", *(sa.column(name, kind) for name, (_, kind, _) in zip(names, kinds.values(), strict=True)))
    for stock in (True, False):
        with project(tmp_path / str(stock), TYPES + upgrading(retyped(*kinds)), before=before, stock=stock) as made:
            made.upgrade()
            if stock:
                assert made.ask("SELECT v0, v1 FROM t") == [(2024, 0)]
                continue
            with made.engine.connect() as connection:
                assert list(connection.execute(sa.select(read)).one()) == [value for _, _, value in kinds.values()]
                found = connection.execute(sa.select(read.c.v3).where(read.c.v3 >= datetime(2024, 5, 6))).all()
                assert len(found) == 1  # SQLite compares texts


ITEMS = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w INTEGER AS (id + 1)); INSERT INTO t (v) VALUES ('12'), ('abc'), ('x');"


NARROWED = "with op.batch_alter_table('t') as batch:\n    batch.alter_column('v', type_={})"


@pytest.mark.parametrize("where", ["the file", "alembic.ini"])
def test_values_stay_as_they_are_where_that_is_accepted(where: str, tmp_path: Path) -> None:
    body = NARROWED.format("sa.Integer()")
    with project(tmp_path / "refused", upgrading(body), before=ITEMS) as ours, pytest.raises(StepFailed) as caught:
        ours.upgrade()
    said = re.search(r"accept_loss = \(\n(.*?)\n\)", str(caught.value), re.DOTALL)
    assert said is not None
    own = said[0] if where == "the file" else ""
    with project(tmp_path / "meant", upgrading(body, own=own), before=ITEMS) as ours:
        if not own:
            with Path(ours.ini).open("a") as ini:
                ini.write(f"accept_loss =\n    orders: index ix, with (a comma)\n    {said[1].strip()[1:-2]}\n")
        ours.upgrade()
        assert ours.ask("SELECT v FROM t") == [12, "abc", "x"]


UNCHANGED = {
    "another change": "with op.batch_alter_table('t', recreate='always') as batch:\n    batch.alter_column('v', nullable=False)",
    "nothing": "with op.batch_alter_table('t', recreate='always') as batch:\n    pass",
    "a type of the same kind": "with op.batch_alter_table('t') as batch:\n    batch.alter_column('v', type_=sa.CLOB())",
    "a type that reflection is told": "given = [sa.Column('v', sa.Boolean())]\n"
    "with op.batch_alter_table('t', recreate='always', reflect_args=given) as batch:\n    pass",
    "a table that is given": "id = sa.Column('id', sa.Integer, primary_key=True)\n"
    "given = sa.Table('t', sa.MetaData(), id, sa.Column('v', sa.Integer), sa.Column('w', sa.Integer, sa.Computed('id + 1')))\n"
    "with op.batch_alter_table('t', recreate='always', copy_from=given) as batch:\n    batch.alter_column('v', type_=sa.BigInteger())",
}


@pytest.mark.parametrize("case", UNCHANGED)
def test_values_are_looked_at_only_where_the_type_changes(case: str, tmp_path: Path) -> None:
    accepted = "accept_loss = ('t: values of v',)"
    with project(tmp_path, upgrading(UNCHANGED[case], own=accepted), before=ITEMS) as ours:
        statements = watched(ours)
        ours.upgrade()
        looked = case == "a table that is given"  # it says INTEGER, and the table has TEXT
        assert any("migrator_fits" in statement for statement in statements) is looked
        assert ours.ask("SELECT v FROM t") == [12 if looked else "12", "abc", "x"]
        assert ours.ask("SELECT w FROM t") == [2, 3, 4]
