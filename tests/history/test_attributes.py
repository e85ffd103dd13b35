"""What a revision says of itself is read when the run is planned: a bad value stops it before the first write."""

from pathlib import Path

import pytest

from migrator import HistoryError, Migrator
from migrator.history.attributes import StepOptions
from tests.kit.assertions import assert_says
from tests.kit.database import tables
from tests.kit.doors import DOORS
from tests.kit.fork_server import Forks
from tests.kit.projects import ANIMALS, NOTHING, PLANTS, miniature

REFUSED = {
    "lock_timeout = 0": "0 would switch the limit off",
    "lock_timeout = -5": "0 would switch the limit off",
    "lock_timeout = '5s'": "it is a whole number of milliseconds",
    "lock_timeout = 2.5": "it is a whole number of milliseconds",
    "lock_timeout = True": "it is a whole number of milliseconds",
    "statement_timeout = 0": "0 would switch the limit off",
    "statement_timeout = [5]": "it is a whole number of milliseconds",
    "retry_for = -1": "it is a number of seconds, 0 or more",
    "retry_for = float('inf')": "it is a number of seconds, 0 or more",
    "retry_for = float('nan')": "it is a number of seconds, 0 or more",
    "retry_for = '60'": "it is a number of seconds, 0 or more",
    "idle_limit = 0": "it is a number of seconds, 0.001 to 2147483",
    "idle_limit = '10min'": "it is a number of seconds, 0.001 to 2147483",
    "accept_loss = 7": "it is a tuple of texts",
    "accept_loss = ('a', 7)": "it is a tuple of texts",
    "rerunnable = 'yes'": "it is True or False",
    "rerunnable = 1": "it is True or False",
    "lock_timeot = 5": "did you mean lock_timeout?",
    "lock_timeouts = 5": "did you mean lock_timeout?",
    "locktimeout = 5": "did you mean lock_timeout?",
    "statment_timeout = 5": "did you mean statement_timeout?",
    "retryfor = 5": "did you mean retry_for?",
    "accept_los = ('x',)": "did you mean accept_loss?",
    "rerunable = True": "did you mean rerunnable?",
}
TAKEN = [
    "lock_timeout = 5000\nstatement_timeout = 60000\nretry_for = 0\naccept_loss = ()\nrerunnable = False",
    "lock_timeout = None\nretry_for = None\nrerunnable = None",
    "retry_for = 0.5\naccept_loss = 'one text'",
    "accept_loss = ['a', 'b']",
    "LOCK_TIMEOUT = 0\nlock_timeout_ms = '5s'\nretries = -1\nlock = 0\nloss = 1\n_lock_timeot = 5",
    "def retry_fot():\n    pass",
]


@pytest.mark.parametrize("line", REFUSED)
def test_a_value_that_cannot_be_used_stops_the_run_before_the_first_step(
    sqlite_url: str, tmp_path: Path, line: str
) -> None:
    config = miniature(tmp_path / "project", ANIMALS, PLANTS, f"{line}\n\n{NOTHING}")
    with pytest.raises(HistoryError) as refused:
        Migrator(config, database_url=sqlite_url).upgrade()
    assert refused.value.code == "attribute-refused"
    assert_says(str(refused.value), "attribute-refused", "Revision 003 (003_step.py) says", REFUSED[line])
    assert refused.value.fields["name"] == line.partition(" =")[0]
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


@pytest.mark.parametrize("door", DOORS)
def test_it_is_the_same_through_every_door_and_a_downgrade_looks_too(
    forks: Forks, database_url: str, tmp_path: Path, door: str
) -> None:
    made = DOORS[door].make(tmp_path / "project", ANIMALS, PLANTS, f"lock_timeout = 0\n\n{NOTHING}", url=database_url)
    result = DOORS[door].run(forks, made, database_url, "upgrade", "head")
    assert result.code in (2, 255)
    assert_says(result.stderr, "attribute-refused", "Revision 003 (003_step.py) says lock_timeout = 0")
    assert tables(database_url) == set()
    assert DOORS[door].run(forks, made, database_url, "upgrade", "002").code == 0
    spoilt = tmp_path / "project/migrations/versions/002_step.py"
    spoilt.write_text(spoilt.read_text() + "\nretry_for = 'long'\n")
    result = DOORS[door].run(forks, made, database_url, "downgrade", "base")
    assert_says(result.stderr, "attribute-refused", "Revision 002 (002_step.py) says retry_for = 'long'")
    assert {"animals", "plants"} <= tables(database_url)


@pytest.mark.parametrize("lines", TAKEN)
def test_what_is_right_or_nothing_of_the_engines_is_taken(database_url: str, tmp_path: Path, lines: str) -> None:
    config = miniature(tmp_path / "project", ANIMALS, f"{lines}\n\n{NOTHING}")
    assert Migrator(config, database_url=database_url).upgrade().after == ("002",)


def test_a_revision_that_is_not_run_is_not_looked_at(sqlite_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS, f"lock_timeout = 0\n\n{NOTHING}")
    assert Migrator(config, database_url=sqlite_url).upgrade("001").after == ("001",)


def test_one_text_is_one_loss() -> None:
    module = type(pytest)("revision")
    module.accept_loss = "t: CHECK (a)"
    assert StepOptions.of(module).accept_loss == ("t: CHECK (a)",)
