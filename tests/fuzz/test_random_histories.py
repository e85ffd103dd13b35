"""Random histories go up and down on both databases, and what is there is what they mean. `make soak` does the same for an hour."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.check import check
from tests.fuzz.histories import Revision, histories
from tests.kit.postgres import Server
from tests.scaffold.templates import Files

# The same ones each time, because a test says the same of the same code; the soak makes up others.
SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_what_is_there_is_what_the_operations_mean(
    request: pytest.FixtureRequest, tmp_path: Path, dialect: str
) -> None:
    host: Files | Server = Files(tmp_path) if dialect == "sqlite" else request.getfixturevalue("postgres_server")
    examples = int(os.environ.get("FUZZ_EXAMPLES", "40" if dialect == "sqlite" else "20"))

    @settings(SETTINGS, max_examples=examples)
    @given(histories())
    def goes_up_and_down(revisions: list[Revision]) -> None:
        url = host.create_database()
        try:
            check(revisions, url, tmp_path / "project")
        finally:
            host.drop_database(url)

    goes_up_and_down()
