"""More than 50 revisions with branches, merges and dependencies: what stock Alembic makes of them, and no loss when a run is killed."""

import os
import random
import signal
from contextlib import closing
from pathlib import Path

from tests.foreign.helpdesk.branches import AGENTS, REPLIES, SETTINGS
from tests.foreign.helpdesk.history import HISTORY
from tests.foreign.helpdesk.later import LATER
from tests.foreign.helpdesk.revisions import identify
from tests.foreign.helpdesk.trunk import BILLING, EARLY, FOUNDATION, POLICIES
from tests.foreign.kit import Side, look, project, twins
from tests.kit.database import logged
from tests.kit.fork_server import Forks, Job
from tests.kit.postgres import Server
from tests.scaffold.templates import Files

ROWS = (
    "INSERT INTO accounts (id, name, plan, created_at) VALUES"
    " (1, 'Ärzte & Co', 'paid', '2023-01-02 03:04:05'), (2, 'two', 'free', '2023-01-02 03:04:05')",
    "INSERT INTO agents (id, account_id, email) VALUES (1, 1, 'Ann@Example.org'), (2, 2, 'BOB@example.org')",
    "INSERT INTO tickets (id, account_id, agent_id, subject, status, created_at) VALUES"
    " (1, 1, 1, 'It crashes', 'open', '2023-02-03 04:05:06'),"
    " (2, 1, NULL, 'a \"question\"', 'open', '2023-02-03 04:05:06.789'),"
    " (3, 2, 2, '100 %', 'done', '2023-02-28 23:59:59')",
    "INSERT INTO messages (id, ticket_id, body, meta) VALUES"
    " (1, 1, 'It does', '{\"lang\": \"en\"}'), (2, 1, 'ping', NULL), (3, 3, 'größer; --', '{}')",
)
FIRST = identify(FOUNDATION[-1].message)
ENDS = [identify(branch[-1].message) for branch in (EARLY, BILLING, POLICIES, REPLIES, AGENTS, SETTINGS)]
MIDDLE = "merge billing and policies"
DOWN = ["merge replies, agents and settings", "agents are in a state", MIDDLE, "tags"]
KILLS = 2


def write(folder: Path) -> None:
    versions = folder / "migrations" / "versions"
    versions.mkdir()
    for revision in HISTORY:
        revision.write(versions)


def test_up_and_down(host: Server | Files, tmp_path: Path) -> None:
    assert len(HISTORY) > 50
    with twins("helpdesk", tmp_path, host, write=write) as both:
        both.upgrade(FIRST)
        both.write(*ROWS)
        both.upgrade(*ENDS, *(identify(revision.message) for revision in LATER[::6]), "heads")
        assert sorted(logged(both.ours.url)) == sorted(identify(revision.message) for revision in HISTORY)
        both.downgrade("search@base", *map(identify, DOWN), "base")


def test_killed_at_any_statement_the_next_run_finishes(host: Server | Files, forks: Forks, tmp_path: Path) -> None:
    template = host.create_database()
    start = project("helpdesk", tmp_path / "project", template, write=write)
    start.alembic("upgrade", FIRST)
    start.write(*ROWS)
    start.alembic("upgrade", identify(MIDDLE))
    fifo = tmp_path / "beat"
    os.mkfifo(fifo)

    def run(until: int | None) -> tuple[Side, int, int]:
        """One run on a copy, killed when so many statements have begun; how it ended, and how many had."""
        side = start.at(host.create_database(template=template))
        (process,) = forks.start(Job(["upgrade", "heads"], side.ini, side.url, beat=str(fifo)))
        count = 0
        with closing(open(fifo, "rb", buffering=0)) as beat:  # noqa: PTH123
            while beat.read(1):
                count += 1
                if count == until:
                    process.kill()
        return side, process.wait().code, count

    whole, code, statements = run(None)
    assert code == 0
    for _ in range(KILLS):
        until = random.randrange(1, statements)
        side, code, _count = run(until)
        assert code == -signal.SIGKILL, until
        (again,) = forks.run(Job(["upgrade", "heads"], side.ini, side.url))
        assert again.code == 0, (until, again)
        assert look(side.url) == look(whole.url), until
        host.drop_database(side.url)
    for url in (template, whole.url):
        host.drop_database(url)
