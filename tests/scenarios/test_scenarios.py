"""Every scenario goes up, down and up again, on each database that it is for: no row is lost, and down leaves what was there before."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from migrator import Migrator
from tests.kit import SCENARIOS
from tests.kit.database import connected, execute_script, heads
from tests.kit.fingerprint import columns_of, fingerprint
from tests.kit.projects import copy_folder, miniature
from tests.kit.scenario import Case, cases
from tests.kit.shape import Table, read_shape

CASES = list(cases())
# The tables of a scenario may have what SQLAlchemy cannot reflect; both sides of a comparison then lack it.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

Columns = dict[str, list[str]]
Objects = set[tuple[str, str]]


def seen(url: str) -> tuple[dict[str, Table], Objects, Columns]:
    """The schema by meaning, the views and triggers by name, and the columns of every table."""
    kind = "SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'trigger')"
    if sa.make_url(url).get_backend_name() == "postgresql":
        kind = (
            "SELECT 'view', viewname FROM pg_views WHERE schemaname = 'public'"
            " UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal"
        )
    with connected(url) as connection:
        others: Any = connection.exec_driver_sql(kind).all()
        columns = {table: sorted(names) for table, names in columns_of(connection).items()}
        return read_shape(connection), {tuple(row) for row in others}, columns


def rows(url: str, columns: Columns) -> dict[str, tuple[int, str]]:
    with connected(url) as connection:
        return fingerprint(connection, columns=columns, as_stored=True)


def shared(one: Columns, other: Columns) -> Columns:
    """The columns that both have."""
    both = {table: [name for name in names if name in other.get(table, ())] for table, names in one.items()}
    return {table: names for table, names in both.items() if names}


def test_every_folder_has_a_scenario() -> None:
    folders = {path.name for path in SCENARIOS.iterdir() if (path / "versions").is_dir()}
    assert {case.versions.parent.name for case in CASES} == folders


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.dialect}")
def test_a_scenario_goes_up_and_down_and_keeps_its_rows(
    case: Case, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[case.dialect])
    execute_script(url, case.before)
    config = miniature(tmp_path / "project")
    copy_folder(case.versions, tmp_path / "project" / "migrations" / "versions")
    engine = Migrator(config, database_url=url)
    shape, others, columns = seen(url)
    before = rows(url, columns)

    engine.upgrade()
    assert heads(url) == [engine.history()[-1].revision]
    upgraded = seen(url)
    kept = shared(columns, upgraded[2])
    stayed = rows(url, kept)
    assert {table: count for table, (count, _) in stayed.items()} == {table: before[table][0] for table in kept}

    engine.downgrade("base")
    assert (heads(url), seen(url)) == ([], (shape, others, columns))
    assert rows(url, kept) == stayed
    unchanged = {table: names for table, names in kept.items() if names == columns[table]}
    assert rows(url, unchanged) == {table: before[table] for table in unchanged}

    engine.upgrade()
    assert seen(url) == upgraded
    assert rows(url, kept) == stayed
