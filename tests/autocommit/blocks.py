"""Revisions whose second step is an `autocommit_block()`, and what an error says of it."""

from pathlib import Path
from textwrap import dedent, indent

import pytest

from migrator import Migrator, StepFailed
from tests.kit.projects import miniature, upgrading

FIRST = upgrading("""
    op.create_table("t", sa.Column("id", sa.Integer, primary_key=True), sa.Column("c", sa.String(5)))
    op.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
""")
C = "SELECT c FROM t ORDER BY id"


def block(statements: str, *, own: str = "") -> str:
    """The body of a revision that does this in a block."""
    return upgrading(
        f"with op.get_context().autocommit_block():\n{indent(dedent(statements).strip(), '    ')}", own=own
    )


def at_001(directory: Path, url: str, body: str) -> Migrator:
    """An engine whose second revision is pending."""
    engine = Migrator(miniature(directory / "project", FIRST, body), database_url=url)
    engine.upgrade("001")
    return engine


def fails(engine: Migrator) -> StepFailed:
    with pytest.raises(StepFailed) as failed:
        engine.upgrade()
    return failed.value


def left(failed: StepFailed) -> list[str]:
    """What the error says is there; nothing if it says that the step was rolled back."""
    listed = list(failed.fields.get("committed", ()))
    assert ("was rolled back; the database is at 001" in str(failed)) == (not listed), failed
    return listed
