"""The connection breaks during a COMMIT: what is said is what was looked up, and the next run finds out the rest."""

from pathlib import Path

import pytest

from migrator import DatabaseError, Migrator
from tests.kit.assertions import assert_says
from tests.kit.database import heads, logged, tables
from tests.kit.projects import ANIMALS, PLANTS, STONES, miniature
from tests.postgresql.severed import When, severed

THE_SECOND = "SET version_num='002'"
IN_DOUBT = "It is not known whether the upgrade of 002 was committed: the run ended during its COMMIT."


def upgrade_through(url: str, config: str, *, when: When, alone: bool) -> DatabaseError:
    with severed(url, mark=THE_SECOND, when=when, alone=alone) as broken, pytest.raises(DatabaseError) as failed:
        Migrator(config, database_url=broken).upgrade()
    assert failed.value.code == "database-unreachable"
    return failed.value


def assert_next_run_finishes(config: str, url: str) -> None:
    report = Migrator(config, database_url=url).upgrade()
    assert report.after == ("003",)
    assert {"animals", "plants", "stones"} <= tables(url)
    assert logged(url) == ["001", "002", "003"]


def test_a_commit_that_arrived_is_found_and_said(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS, PLANTS, STONES)
    failed = upgrade_through(postgres_url, config, when="before the client", alone=False)
    said = "Applied in this run and kept: 001, 002; the database is at 002."
    assert_says(str(failed), "database-unreachable", consequence=said)
    assert failed.fields["applied"] == ("001", "002")
    assert (heads(postgres_url), logged(postgres_url, "failed")) == (["002"], [])
    assert_next_run_finishes(config, postgres_url)


def test_a_commit_that_arrived_and_cannot_be_looked_up_is_in_doubt(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS, PLANTS, STONES)
    failed = upgrade_through(postgres_url, config, when="before the client", alone=True)
    assert_says(str(failed), "database-unreachable", "kept: 001", consequence=IN_DOUBT)
    assert failed.progress is not None
    assert (failed.progress.in_doubt, failed.fields["applied"]) == (True, ("001",))
    assert heads(postgres_url) == ["002"]
    assert_next_run_finishes(config, postgres_url)


@pytest.mark.parametrize("alone", [False, True])
def test_a_commit_that_did_not_arrive_is_never_said_to_be_there(postgres_url: str, tmp_path: Path, alone: bool) -> None:
    config = miniature(tmp_path / "project", ANIMALS, PLANTS, STONES)
    failed = upgrade_through(postgres_url, config, when="before the server", alone=alone)
    assert_says(str(failed), "database-unreachable", "kept: 001", consequence=IN_DOUBT)
    assert "plants" not in tables(postgres_url)
    assert_next_run_finishes(config, postgres_url)
