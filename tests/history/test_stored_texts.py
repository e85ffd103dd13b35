"""A text from the log is code from the database: its id is no path, it is shown as it is, and one that cannot be used is an error."""

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from migrator import HistoryError, Migrator
from tests.kit.assertions import assert_refused, assert_says
from tests.kit.database import connected, execute, heads, state, tables
from tests.kit.fork_server import Forks, Job
from tests.kit.projects import ANIMALS, PLANTS, miniature, revision_path

TEXT = """'''Stored.'''
from pathlib import Path

from alembic import op

revision = {revision!r}
down_revision = {parent!r}
branch_labels = depends_on = None


def upgrade():
    pass


def downgrade():
    op.execute("CREATE TABLE IF NOT EXISTS it_ran (id INTEGER)")
"""


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Migrator:
    """A project at its only revision."""
    made = Migrator(miniature(tmp_path / "project", ANIMALS), database_url=database_url)
    made.upgrade()
    return made


def put(url: str, revision: str, text: str, *, description: str = "", os_user: str = "ada") -> None:
    """Write into the log what somebody can who may write there: an upgrade with a text and the right checksum; and the head."""
    checksum = hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()
    row = {"revision": revision, "description": description, "checksum": checksum, "source": text, "os_user": os_user}
    with connected(url) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO migration_log (version_table, revision, description, direction, outcome, started_at, finished_at,"
                " duration_ms, checksum, source, os_user, host, file) VALUES ('alembic_version', :revision, :description, 'upgrade',"
                " 'done', '2026-01-31 12:00:00', '2026-01-31 12:00:00', 0, :checksum, :source, :os_user, 'host', 'a.py')"
            ),
            row,
        )
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :revision"), row)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it says that it is None"),
        ("def downgrade(:\n    pass", "SyntaxError"),
        (TEXT.format(revision="002", parent="001") + "import no_such_package", "No module named 'no_such_package'"),
        (TEXT.format(revision="003", parent="001"), "it says that it is '003'"),
        (TEXT.format(revision="002", parent="001") + "raise SystemExit(0)", "SystemExit: 0"),
        ("revision = '002'\ndown_revision = '00' + '9'\n", "009"),
    ],
    ids=("empty", "not Python", "an import", "another revision", "an exit", "an unknown parent"),
)
def test_one_that_does_not_load_here_is_an_error_with_what_to_do(
    engine: Migrator, database_url: str, text: str, reason: str
) -> None:
    put(database_url, "002", text)
    before = state(database_url)
    with pytest.raises(HistoryError) as refused:
        engine.downgrade(run_stored=True)
    assert_says(str(refused.value), "stored-text-unusable", "revision 002", reason, "Check out the code that has 002")
    assert state(database_url) == before


@pytest.mark.parametrize("parents", [{"002": "002"}, {"002": "003", "003": "002"}], ids=("itself", "two"))
def test_texts_that_come_after_one_another_in_a_circle_are_an_error(
    engine: Migrator, database_url: str, parents: dict[str, str]
) -> None:
    for revision, parent in parents.items():
        put(database_url, revision, TEXT.format(revision=revision, parent=parent))
    for command in (engine.status, engine.upgrade, engine.plan, lambda: engine.downgrade(run_stored=True)):
        with pytest.raises(HistoryError) as refused:
            command()
        assert_says(str(refused.value), "stored-text-unusable", "it comes after itself")


def test_a_merge_whose_two_sides_are_gone_goes_back_by_the_stored_texts(engine: Migrator, database_url: str) -> None:
    for revision, parent in {"left": "002", "right": "002", "002": "001"}.items():
        put(database_url, revision, TEXT.format(revision=revision, parent=parent))
    put(database_url, "merge", TEXT.format(revision="merge", parent=("left", "right")))
    with pytest.raises(HistoryError) as refused:
        engine.status()
    assert set(refused.value.fields["gone"]) == {"merge", "left", "right", "002"}
    assert engine.downgrade("001", run_stored=True).after == ("001",)


@pytest.mark.parametrize("where", ["absolute", "relative"])
def test_a_revision_id_is_never_a_path(
    engine: Migrator, database_url: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with TemporaryDirectory() as folder:
        monkeypatch.setattr("tempfile.tempdir", folder)  # in which the texts get a folder of their own
        victim = Path(folder, "victim.py")
        victim.write_text("whole = True\n")
        id_ = str(victim.with_suffix("")) if where == "absolute" else "../victim"
        put(database_url, id_, TEXT.format(revision=id_, parent="001"))
        assert engine.downgrade("001", run_stored=True).after == ("001",)
        assert "it_ran" in tables(database_url)
        assert (victim.read_text(), list(Path(folder).iterdir())) == ("whole = True\n", [victim])


def test_what_would_hide_a_line_from_the_one_who_is_asked_is_shown_escaped(
    engine: Migrator, forks: Forks, database_url: str
) -> None:
    hidden = "op.execute('evil')  # \x1b[1A\x1b[2K \u202e \u200b"
    put(
        database_url,
        "002",
        TEXT.format(revision="002", parent="001") + f"# {hidden}\n",
        description="harmless\x1b[2K\nNothing was changed.",
        os_user="ada\x9b1A",
    )
    config = str(engine.path)
    asked, status, log = forks.run(*(Job([name], config, database_url) for name in ("downgrade", "status", "log")))
    assert_refused(status, "database-ahead", r"(harmless\x1b[2K\nNothing was changed.)", r"ada\x9b1A@host")
    for result in (asked, status, log):
        said = result.stdout + result.stderr
        assert all(one.isprintable() or one in "\n\t" for one in said), said
    assert r"# op.execute('evil')  # \x1b[1A\x1b[2K \u202e \u200b" in asked.stderr
    (document,) = forks.run(Job(["log", "--json"], config, database_url))
    assert r"\u001b[1A" in document.stdout


def test_the_stored_texts_of_an_adopted_database_go_back_below_the_stamp(database_url: str, tmp_path: Path) -> None:
    """What would be dropped is found in a replay, which reads the files of all revisions, the log's too."""
    execute(database_url, "CREATE TABLE animals (id INTEGER PRIMARY KEY)")
    engine = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS), database_url=database_url)
    engine.stamp("001", verify=False)
    engine.upgrade()
    revision_path(engine.path, "002").unlink()
    with pytest.raises(HistoryError) as refused:
        engine.downgrade("base", run_stored=True)
    assert refused.value.code == "downgrade-adopted"
    assert engine.downgrade("base", run_stored=True, drop_adopted=True).after == ()
    assert heads(database_url) == []
