"""A history with branches, a merge, dependencies and several folders: where stock Alembic arrives, the engine arrives, and says so."""

from contextlib import suppress
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from migrator import HistoryError, Migrator, NotAtHead
from migrator.cli.main import main
from tests.foreign.branched import ALL, BILLING, CORE, EMAIL, FIRST, HEADS, INVOICES, MERGE, NOTES, branched
from tests.kit.assertions import assert_says
from tests.kit.database import State, execute, logged, state, tables
from tests.kit.postgres import Server

WALK = [
    ("upgrade", FIRST[:5]),
    ("upgrade", "billing@+1"),
    ("upgrade", "core@head"),
    ("upgrade", "head"),  # refused
    ("upgrade", "heads"),
    ("downgrade", "billing@base"),
    ("upgrade", "billing@head"),
    ("downgrade", MERGE),
    ("downgrade", "core@-1"),  # refused
    ("upgrade", "heads"),
    ("downgrade", "base"),
    ("upgrade", BILLING),
    ("upgrade", "core@+1"),
]


def seen(url: str) -> State:
    """All of a database; in what SQLite stores of a table, blanks do not count."""
    catalog, rows, at = state(url)
    return frozenset(tuple(" ".join(part.split()) for part in row) for row in catalog), rows, sorted(at)


def test_each_step_arrives_where_stock_alembic_arrives(
    database_url: str, postgres_server: Server, tmp_path: Path
) -> None:
    is_sqlite = database_url.startswith("sqlite")
    other_url = f"sqlite:///{tmp_path}/other.db" if is_sqlite else postgres_server.create_database()
    stock, ours = branched(tmp_path / "stock", other_url, stock=True), branched(tmp_path / "ours", database_url)
    refused = []
    for verb, target in WALK:
        with suppress(CommandError):
            getattr(command, verb)(Config(stock), target)
        try:
            getattr(Migrator(ours), verb)(target)
        except HistoryError as refusal:
            refused.append((target, refusal.code))
        assert seen(database_url) == seen(other_url), (verb, target)
    assert refused == [("head", "heads-several"), ("core@-1", "revision-out-of-reach")]
    assert set(logged(database_url)) == {*ALL, *(f"downgrade {revision}" for revision in ALL)}
    if not is_sqlite:
        postgres_server.drop_database(other_url)


def test_every_command_understands_the_branches(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = branched(tmp_path / "project", database_url)
    migrator = Migrator(ini)

    def said(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(arguments, config=Path(ini))
        return code, capsys.readouterr().out

    assert [step.revision for step in migrator.plan("billing@+1")] == [FIRST, INVOICES]
    migrator.upgrade("billing@+1")
    status = migrator.status()
    assert {each.revision for each in status.revisions if each.applied} == {FIRST, INVOICES}
    assert (status.at, set(status.heads), status.head) == ((INVOICES,), set(HEADS), None)
    assert status.url == database_url  # as their env.py has it
    migrator.upgrade(CORE)
    with pytest.raises(NotAtHead) as behind:  # one head of two
        migrator.require_head()
    assert_says(str(behind.value), "not-at-head", CORE, BILLING, "upgrade heads")
    assert said("status", "--exit-code")[0] == 1
    code, text = said("upgrade")
    assert (code, text) == (2, "")
    assert said("upgrade", "heads")[0] == 0
    migrator.require_head()
    assert set(migrator.current()) == set(HEADS)
    assert said("upgrade", "heads")[1].endswith(f"Nothing to do: the database is at {', '.join(migrator.current())}.\n")
    code, text = said("status")
    assert code == 0
    assert "7 applied, 0 pending." in text
    assert "The history has 2 heads: " in text
    code, text = said("history")
    order = [line.partition("\t")[0] for line in text.splitlines()]
    assert set(order) == set(ALL)
    for before, after in ((FIRST, EMAIL), (FIRST, NOTES), (NOTES, MERGE), (MERGE, CORE), (INVOICES, BILLING)):
        assert order.index(before) < order.index(after)
    assert said("check") == (0, "No new upgrade operations detected.\n")
    assert set(said("heads")[1].splitlines()) == {f"{CORE} (core) (head)", f"{BILLING} (billing) (head)"}
    execute(database_url, "ALTER TABLE accounts ADD COLUMN extra INTEGER")
    code, text = said("check")
    assert (code, "'extra'" in text, "legacy_import" in text) == (1, True, False)  # their include_object is heard


def test_what_head_means_is_said_with_the_files(database_url: str, tmp_path: Path) -> None:
    migrator = Migrator(branched(tmp_path / "project", database_url))
    for target in ("head", "+9"):
        with pytest.raises(HistoryError) as refused:
            migrator.upgrade(target)
        code = "heads-several" if target == "head" else "revision-out-of-reach"
        assert_says(str(refused.value), code)
    with pytest.raises(HistoryError) as refused:
        migrator.upgrade()
    assert_says(str(refused.value), "heads-several", "upgrade heads", f"{CORE}_step.py", f"{BILLING}_step.py")
    assert tables(database_url) == set()


def test_a_label_with_two_revisions_to_count_from_is_no_traceback(sqlite_url: str, tmp_path: Path) -> None:
    migrator = Migrator(branched(tmp_path / "project", sqlite_url))
    migrator.upgrade(EMAIL)
    migrator.upgrade(NOTES)
    before = state(sqlite_url)
    for ask in (migrator.downgrade, lambda asked: migrator.plan(asked, "downgrade")):
        with pytest.raises(HistoryError) as refused:
            ask("core@-1")
        assert_says(str(refused.value), "revision-out-of-reach", "there is no one revision to count from")
    assert state(sqlite_url) == before
