"""Who may write the log may have a program run: what the docs say to take away from the application's role, and what is left to it."""

import re
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from migrator import LockError, Migrator
from tests.kit.database import ask, execute
from tests.kit.pages import section_of
from tests.kit.projects import ANIMALS, PLANTS, miniature
from tests.postgresql.sessions import engine, made_animals, next_revision, session, told

WRITES = (
    "INSERT INTO migration_log SELECT * FROM migration_log",
    "UPDATE migration_log SET source = 'import os'",
    "DELETE FROM migration_log",
    "UPDATE alembic_version SET version_num = 'evil'",
)


def test_with_the_grants_of_the_docs_the_applications_role_can_ask_and_not_write(
    postgres_url: str, tmp_path: Path
) -> None:
    [grants] = re.findall(r"(?ms)^```text\n(.*?)^```$", section_of("docs/guarantees.md", "Trust in the log"))
    role = f"app_{uuid.uuid4().hex[:8]}"
    config = miniature(tmp_path / "project", ANIMALS, PLANTS)
    Migrator(config, database_url=postgres_url).upgrade()
    execute(postgres_url, f"CREATE ROLE {role} LOGIN", f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    app = sa.make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
    try:
        execute(postgres_url, *re.sub(r"\bapp\b", role, grants).strip().split(";\n"))
        for statement in WRITES:
            with pytest.raises(ProgrammingError, match="permission denied"):
                execute(app, statement)
        asking = Migrator(config, database_url=app)
        asking.require_head()
        assert asking.current() == ("002",)
        assert [revision.applied for revision in asking.status().revisions] == [True, True]
        assert ask(app, "SELECT count(*) FROM animals") == 0
    finally:
        execute(postgres_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_of_another_sessions_statement_only_its_beginning_is_said_and_kept(postgres_url: str, tmp_path: Path) -> None:
    config = made_animals(postgres_url, tmp_path / "project")
    next_revision(config, 'def upgrade():\n    op.add_column("animals", sa.Column("card", sa.Text))')
    with (
        session(postgres_url, "SELECT id FROM animals WHERE '4111-1111' <> 'me'") as reader,
        told(lambda lines: None) as lines,
        pytest.raises(LockError, match="step-blocked") as blocked,
    ):
        engine(config, postgres_url, lock_timeout=20, retry_for=0.1).upgrade()
    reader.close()
    kept = ask(postgres_url, "SELECT error FROM migration_log WHERE outcome = 'failed'")
    for text in (*lines, str(blocked.value), kept):
        assert "SELECT id FROM animals WHERE …" in text
        assert "4111" not in text
