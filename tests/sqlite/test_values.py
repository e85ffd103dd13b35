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
from tests.sqlite.type_changes import KEPT, UNFIT, A, B

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::sqlalchemy.exc.SAWarning"
)  # stock Alembic's own

TYPES = "from migrator.types import GUID, JSONDocument, UTCDateTime\n"


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
