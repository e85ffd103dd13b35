"""Sixteen upgrades of one database at the same moment, and what has to be true afterwards."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.kit.fork_server import Forks, Job
from tests.kit.processes import Result

PROCESSES = 16
# A process that asks just when the lock changes hands cannot know the name.
_WAITING = re.compile(
    r"Waiting for another run: ("
    r"migrator \S+:\d+ ?\(pid \d+ from \S+, role \S+\), since .+|"  # PostgreSQL
    r"migrator \S+:\d+, since \S+|"  # SQLite
    r"it has just ended|a run that has just begun)"
)
_TROUBLE = re.compile(r"error|traceback|exception|warning|fail|locked|denied", re.IGNORECASE)


def race(forks: Forks, url: str, config: str | Path, revisions: Sequence[str]) -> list[Result]:
    """Start the upgrades together. AssertionError unless all succeed and each of `revisions` was applied by just one of them."""
    results = forks.run(*[Job(["upgrade"], config, url)] * PROCESSES)
    for result in results:
        assert result.code == 0, result
        for line in result.stderr.splitlines():
            # What the winner runs just then may have any words in it.
            assert _WAITING.match(line) if "Waiting" in line else not _TROUBLE.search(line), result
    winners = [result for result in results if "Applied" in result.stdout]
    assert winners, results
    assert sum("Nothing to do" in result.stdout for result in results) == PROCESSES - len(winners), results
    applied = [revision for result in winners for revision in _applied(result)]
    assert sorted(applied) == sorted(revisions)
    assert logged(url) >= Counter(revisions)
    assert set(logged(url).values()) == {1}
    return results


def logged(url: str) -> Counter[str]:
    """How often `migration_log` says that a revision was applied."""
    with sa.create_engine(url, poolclass=NullPool).connect() as connection:
        done = "SELECT revision FROM migration_log WHERE outcome = 'done' AND direction = 'upgrade'"
        return Counter(connection.execute(sa.text(done)).scalars())


def _applied(result: Result) -> list[str]:
    found = re.search(r"(?m)^Applied .*: (.*)\.$", result.stdout)
    assert found is not None, result
    return found[1].split(", ")
