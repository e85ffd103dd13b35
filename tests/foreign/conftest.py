"""Where the databases of both sides are made."""

from pathlib import Path

import pytest

from tests.conftest import DIALECTS
from tests.kit.postgres import Server
from tests.scaffold.templates import Files


@pytest.fixture(params=DIALECTS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Server | Files:
    if request.param == "sqlite":
        return Files(tmp_path)
    server = request.getfixturevalue("postgres_server")
    assert isinstance(server, Server)
    return server
