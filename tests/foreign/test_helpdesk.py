"""More than 50 revisions with branches, merges and dependencies: what stock Alembic makes of them, rows included, and no run that is killed loses any."""

from pathlib import Path

from tests.foreign.helpdesk.history import HISTORY, LATER
from tests.foreign.helpdesk.revisions import identify
from tests.foreign.kit import twins
from tests.kit.postgres import Server
from tests.scaffold.templates import Files

ROWS = (
    "INSERT INTO accounts (id, name, plan, created_at) VALUES (1, 'Ärzte & Co', 'paid', '2023-01-02 03:04:05'), (2, 'two', 'free', '2023-01-02 03:04:05')",
    "INSERT INTO agents (id, account_id, email) VALUES (1, 1, 'Ann@Example.org'), (2, 2, 'BOB@example.org')",
    "INSERT INTO tickets (id, account_id, agent_id, subject, status, created_at) VALUES"
    " (1, 1, 1, 'It crashes', 'open', '2023-02-03 04:05:06'), (2, 1, NULL, 'a \"question\"', 'open', '2023-02-03 04:05:06.789'),"
    " (3, 2, 2, '100 %', 'done', '2023-02-28 23:59:59')",
    "INSERT INTO messages (id, ticket_id, body, meta) VALUES (1, 1, 'It does', '{\"lang\": \"en\"}'), (2, 1, 'ping', NULL), (3, 3, 'größer; --', '{}')",
)


def write(folder: Path) -> None:
    versions = folder / "migrations" / "versions"
    versions.mkdir()
    for revision in HISTORY:
        revision.write(versions)


def test_up(host: Server | Files, tmp_path: Path) -> None:
    assert len(HISTORY) >= 50
    with twins("helpdesk", tmp_path, host, write=write) as both:
        both.upgrade(identify("index what is looked up"))
        both.write(*ROWS)
        for revision in HISTORY[-1:]:
            both.upgrade("heads")
        both.downgrade("search@-1", "search@base")
        later = [identify(revision.message) for revision in HISTORY if revision.message in {m.message for m in LATER}]
        both.downgrade(*reversed(later))
        both.downgrade(identify("merge replies, agents and settings"))
        both.downgrade(identify("agents have a state"))
        both.downgrade(identify("merge billing and policies"))
        both.downgrade(identify("tags"))
        both.downgrade(identify("index what is looked up"))
        both.downgrade("base")
