"""Random histories go up and down on both databases, and what is there is what they mean. `make soak` makes up others for an hour."""

from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.fuzz.check import SETTINGS, search
from tests.kit.postgres import Server
from tests.scaffold.templates import Files


@pytest.mark.parametrize(("dialect", "examples"), [("sqlite", 40), ("postgresql", 20)])
def test_what_is_there_is_what_the_operations_mean(
    request: pytest.FixtureRequest, tmp_path: Path, dialect: str, examples: int
) -> None:
    host: Files | Server = Files(tmp_path) if dialect == "sqlite" else request.getfixturevalue("postgres_server")
    # The same ones each time, because a test says the same of the same code. The soak shortens one that fails, which takes minutes.
    same = settings(SETTINGS, max_examples=examples, derandomize=True, phases=[Phase.generate])
    search(host, tmp_path, same)
