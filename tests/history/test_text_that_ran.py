"""The log keeps the text that ran, also where a deploy replaces the file while the run waits or works."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from migrator import Migrator
from migrator.dialects import named
from tests.kit.database import connected, tables
from tests.kit.projects import ANIMALS, PLANTS, miniature, revision_path
from tests.postgresql.sessions import told

REPLACES_THE_NEXT = """
def upgrade():
    next_ = Path(os.environ["NEXT"])
    next_.write_text(next_.read_text().replace("plants", "others"))
"""


def test_a_file_that_is_replaced_while_an_earlier_step_works(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Migrator(miniature(tmp_path / "project", REPLACES_THE_NEXT, PLANTS), database_url=database_url)
    monkeypatch.setenv("NEXT", str(revision_path(engine.path, "002")))
    engine.upgrade()
    assert_the_log_has_what_ran(engine, database_url)


def test_a_file_that_is_replaced_while_the_run_waits_for_the_lock(database_url: str, tmp_path: Path) -> None:
    engine = Migrator(miniature(tmp_path / "project", ANIMALS, PLANTS), database_url=database_url)
    engine.upgrade("001")
    file = revision_path(engine.path, "002")
    with connected(database_url) as connection, ExitStack() as another_run:
        connection.execution_options(isolation_level=connection.default_isolation_level)
        session = named(connection.dialect.name).session(connection, engine.settings)

        def replace_the_file_and_end_the_other_run(lines: list[str]) -> None:
            file.write_text(file.read_text().replace("plants", "others"))
            another_run.close()

        another_run.enter_context(session.lock("alembic_version"))
        with told(replace_the_file_and_end_the_other_run) as lines:
            engine.upgrade()
    assert "Waiting for another run" in lines[0]
    assert_the_log_has_what_ran(engine, database_url)


def assert_the_log_has_what_ran(engine: Migrator, url: str) -> None:
    entry = engine.log(1)[0]
    assert ("plants" in tables(url), "others" in tables(url)) == (True, False)
    assert ("plants" in str(entry.source), "others" in str(entry.source)) == (True, False)
    assert engine.status().revisions[1].edited
