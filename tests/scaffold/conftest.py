"""What the tests of the models ask for: their tables on each dialect, and a session."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.database import make_engine, make_sessions
from app.models import (
    Base,
)


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database of each dialect, with the models' tables, for all the tests of the models: none of them changes a table."""
    server = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    url = server.create_database() if server else f"sqlite:///{tmp_path_factory.mktemp('models') / 'test.db'}"
    engine = make_engine(url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
    if server:
        server.drop_database(url)


@pytest.fixture
def engine(database: Engine) -> Iterator[Engine]:
    """That database; what a test stores in it is deleted afterwards."""
    yield database
    with database.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session of the application's on that database."""
    with make_sessions(engine)() as session:
        yield session
