"""Raw SQL: scripts of several statements, triggers, views, functions, the driver's own cursor, COPY, and ORM sessions."""

from pathlib import Path

from tests.foreign.kit import twins
from tests.kit.database import rows
from tests.kit.postgres import Server
from tests.scaffold.templates import Files

STORIES = (
    "INSERT INTO stories (id, author_id, title, words) VALUES (1, 1, 'First', 250), (2, 2, 'Second', NULL)",
    "UPDATE stories SET title = 'Second; edited' WHERE id = 2",
)
BEFORE = ["INSERT: First", "INSERT: Second", "UPDATE: Second; edited"]
CHANGES = [*BEFORE, *(f"INSERT: {title}" for title in ("Storm\tat sea", "Élections; again", "back\\slash"))]
ORM = ["INSERT: About O'Hara; Ann", 'INSERT: About 100 % "Bob"']


def test_up_and_down(host: Server | Files, tmp_path: Path) -> None:
    with twins("newsroom", tmp_path, host) as both:
        both.upgrade("0001", "0002")
        both.write(*STORIES)
        both.upgrade("0003")
        if isinstance(host, Files):
            both.lose("trigger stories_", "stories_by_title", "stories checks None")
        both.upgrade("0004", "0005")
        assert rows(both.ours.url, "SELECT what FROM changes ORDER BY at") == [*CHANGES, *ORM]
        both.downgrade("0004", "0003", "0002")
        both.lost = [line for line in both.lost if "trigger" not in line]
        both.downgrade("0001")
        both.lost = ()
        both.downgrade("base")
