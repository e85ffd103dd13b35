"""What a revision does after its own transaction has ended, or on other connections, is impossible, or is never called rolled back."""

from pathlib import Path

import pytest

from migrator import Migrator, StepFailed
from migrator.errors.progress import Progress
from tests.kit.assertions import assert_says
from tests.kit.database import ask, heads, logged, state, tables
from tests.kit.projects import ANIMALS, PLANTS, miniature, revision_path, upgrading, write_revisions
from tests.postgresql.sessions import session

ROLLED_BACK = "The upgrade of 002 was rolled back; the database is at 001."
NOT_KNOWN = (
    "The transaction of the upgrade of 002 was rolled back; what it did after that on the driver's own connection is not known. "
    "The database was at 001 before it."
)
FIRST = 'op.create_table("first", sa.Column("id", sa.Integer, primary_key=True))\n'
RAW = "raw = op.get_bind().connection.driver_connection\n"
STAYS = "raw.cursor().execute('CREATE TABLE stays (id INTEGER)')\n"
AFTERWARDS = {
    "in the same text": "op.execute('SELECT 1; ROLLBACK; CREATE TABLE stays (id INTEGER)')",
    "in autocommit": f"{RAW}raw.set_isolation_level(0)\n{STAYS}raw.set_isolation_level(1)\nop.execute('SELECT 1')",
    "and then an error": f"{RAW}raw.rollback()\n{STAYS}raw.commit()\nraise ValueError('then')",
    "and then an error of the database": f"{RAW}raw.rollback()\n{STAYS}raw.commit()\nraw.cursor().execute('SELECT nonsense')",
    "after rollback() of SQLAlchemy's": f"{RAW}op.get_bind().rollback()\n{STAYS}raw.commit()",
    "before another transaction": f"{RAW}raw.rollback()\n{STAYS}raw.commit()\nraw.cursor().execute('SELECT 1')",
    "at the end": f"{RAW}raw.rollback()\n{STAYS}raw.commit()",
}


def upgrade_fails(config: str, url: str, *words: str, code: str, consequence: str) -> Progress:
    with pytest.raises(StepFailed) as failed:
        Migrator(config, database_url=url).upgrade()
    assert_says(str(failed.value), code, *words, consequence=consequence)
    assert failed.value.progress is not None
    return failed.value.progress


@pytest.mark.parametrize("afterwards", AFTERWARDS.values(), ids=AFTERWARDS)
def test_on_postgresql_what_came_after_a_rollback_is_not_said_to_be_gone(
    postgres_url: str, tmp_path: Path, afterwards: str
) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading(FIRST + afterwards))
    Migrator(config, database_url=postgres_url).upgrade("001")
    progress = upgrade_fails(config, postgres_url, code="step-transaction-ended", consequence=NOT_KNOWN)
    assert (progress.committed_itself, progress.unseen) == (False, True)
    assert {"stays"} == tables(postgres_url) & {"first", "stays"}
    assert (heads(postgres_url), logged(postgres_url, "failed")) == (["001"], ["002"])


KEPT = "raw.execute('CREATE TABLE stays (id INTEGER)')\n"
RAW_ON_SQLITE = f"raw = op.get_bind().connection\n{FIRST}"
REFUSED = {
    "a table": f"op.get_bind().rollback()\n{KEPT}",
    "and an error": f"op.get_bind().rollback()\ntry:\n    {KEPT}except Exception:\n    raise ValueError('then')",
    "a statement that is prepared already": (
        "for _ in range(2):\n    raw.execute('INSERT INTO animals DEFAULT VALUES')\n    op.get_bind().rollback()"
    ),
    "the engine's own BEGIN": "op.get_bind().rollback()\nraw.execute('BEGIN IMMEDIATE')\n" + KEPT,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_on_sqlite_nothing_runs_after_a_rollback(sqlite_url: str, tmp_path: Path, body: str) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading(RAW_ON_SQLITE + body))
    Migrator(config, database_url=sqlite_url).upgrade("001")
    before = state(sqlite_url)
    upgrade_fails(config, sqlite_url, "with rollback()", code="step-transaction-ended", consequence=ROLLED_BACK)
    assert state(sqlite_url) == before


def test_on_sqlite_rows_behind_a_conflict_that_rolled_back_are_not_said_to_be_gone(
    sqlite_url: str, tmp_path: Path
) -> None:
    loop = """
        raw = op.get_bind().connection.driver_connection
        for number in (1, 1, 2):
            try:
                raw.execute("INSERT OR ROLLBACK INTO animals VALUES (?)", (number,))
            except Exception:
                pass
        raise ValueError("then")
    """
    config = miniature(tmp_path / "project", ANIMALS, upgrading(loop))
    Migrator(config, database_url=sqlite_url).upgrade("001")
    upgrade_fails(config, sqlite_url, "ValueError: then", code="step-transaction-ended", consequence=NOT_KNOWN)
    assert ask(sqlite_url, "SELECT group_concat(id) FROM animals") == "2"


def test_on_sqlite_a_conflict_that_sqlalchemy_tells_of_is_a_plain_failure(sqlite_url: str, tmp_path: Path) -> None:
    conflict = "for _ in range(2):\n    op.execute('INSERT OR ROLLBACK INTO animals VALUES (1)')"
    config = miniature(tmp_path / "project", ANIMALS, upgrading(FIRST + conflict))
    Migrator(config, database_url=sqlite_url).upgrade("001")
    upgrade_fails(config, sqlite_url, "UNIQUE", code="step-failed", consequence=ROLLED_BACK)
    assert ask(sqlite_url, "SELECT count(*) FROM animals") == 0


def test_on_sqlite_without_the_authorizer_nothing_is_said(sqlite_url: str, tmp_path: Path) -> None:
    without = f"{RAW}raw.set_authorizer(None)\nraw.execute('CREATE TABLE stays (id)')\nraw.commit()"
    config = miniature(tmp_path / "project", ANIMALS, upgrading(f"{without}\nop.execute('SELECT 1')"))
    Migrator(config, database_url=sqlite_url).upgrade("001")
    words = "Whether the upgrade of 002 was rolled back could not be looked up"
    progress = upgrade_fails(config, sqlite_url, code="step-transaction-ended", consequence=words)
    assert (progress.committed_itself, "stays" in tables(sqlite_url)) == (None, True)
    revision_path(tmp_path / "project", "002").unlink()
    write_revisions(tmp_path / "project", [upgrading(f"{RAW}raw.commit()")], first=2)
    before = state(sqlite_url)
    upgrade_fails(config, sqlite_url, "with COMMIT", code="step-transaction-ended", consequence=ROLLED_BACK)
    assert state(sqlite_url) == before


CLOSED = {
    "close()": "op.get_bind().close()",
    "a with block": "with op.get_bind() as connection:\n    connection.execute(sa.text('SELECT 1'))",
    "close(), swallowed": "try:\n    op.get_bind().close()\nexcept Exception:\n    pass",
    "the driver's": "op.get_bind().connection.close()\nop.execute('SELECT 1')",
    "the driver's, at the end": "op.get_bind().connection.invalidate()",
}


@pytest.mark.parametrize("closing", CLOSED)
def test_a_revision_may_not_close_the_connection(database_url: str, tmp_path: Path, closing: str) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading(FIRST + CLOSED[closing]))
    Migrator(config, database_url=database_url).upgrade("001")
    before = state(database_url)
    consequence = "he database was at 001 before it." if "driver" in closing else ROLLED_BACK
    upgrade_fails(config, database_url, code="step-transaction-ended", consequence=consequence)
    assert (state(database_url), logged(database_url, "failed")) == (before, ["002"])
    revision_path(tmp_path / "project", "002").unlink()
    write_revisions(tmp_path / "project", [upgrading(FIRST)], first=2)
    assert Migrator(config, database_url=database_url, lock_wait=0).upgrade().after == ("002",)


ELSEWHERE = """
engine = sa.create_engine({url!r}, poolclass=sa.NullPool{options})
with engine.connect() as other:
    other.execute(sa.text("SELECT 1"))
    other.execute(sa.text("{statement}"))
    {end}
"""
ENDS = {
    "committed": ("", "other.commit()"),
    "in autocommit": (", isolation_level='AUTOCOMMIT'", "pass"),
    "in autocommit by an option": ("", "pass"),
    "rolled back": ("", "other.rollback()"),
}


@pytest.mark.parametrize("ending", ENDS)
def test_what_another_connection_of_the_revision_has_committed_is_said(
    database_url: str, tmp_path: Path, ending: str
) -> None:
    options, end = ENDS[ending]
    url = database_url if "postgresql" in database_url else f"sqlite:///{tmp_path / 'other.db'}"
    statement = "CREATE TABLE elsewhere (id INTEGER)"
    body = ELSEWHERE.format(url=url, statement=statement, options=options, end=end)
    if "option" in ending:
        body = body.replace(".connect() as", ".connect().execution_options(isolation_level='AUTOCOMMIT') as")
    config = miniature(tmp_path / "project", ANIMALS, upgrading(f"{FIRST}{body}raise ValueError('then')"))
    Migrator(config, database_url=database_url).upgrade("001")
    said = f"What it committed on a connection of its own is not rolled back: {statement}."
    is_there = ending != "rolled back" or "sqlite" in url  # its driver begins no transaction for a CREATE TABLE
    consequence = f"{ROLLED_BACK} {said}" if is_there else f"{ROLLED_BACK}\n"
    progress = upgrade_fails(config, database_url, "ValueError", code="step-failed", consequence=consequence)
    assert progress.elsewhere == ((statement,) if is_there else ())
    assert ("elsewhere" in tables(url), "first" in tables(database_url)) == (is_there, False)


def test_on_postgresql_a_step_that_has_committed_elsewhere_is_not_tried_again(
    postgres_url: str, tmp_path: Path
) -> None:
    statement = "INSERT INTO animals SELECT count(*) FROM animals"
    body = ELSEWHERE.format(url=postgres_url, statement=statement, options="", end="other.commit()")
    config = miniature(tmp_path / "project", ANIMALS, PLANTS, upgrading(f"{body}\nop.execute('LOCK plants')"))
    engine = Migrator(config, database_url=postgres_url, lock_timeout=50)
    engine.upgrade("002")
    with session(postgres_url, "SELECT count(*) FROM plants"), pytest.raises(StepFailed) as failed:
        engine.upgrade()
    assert failed.value.code == "step-failed"
    assert f"is not rolled back: {statement}." in str(failed.value)
    assert ask(postgres_url, "SELECT count(*) FROM animals") == 1
