"""Somebody else's opinion of the history: pytest-alembic's built-in tests, each on both databases."""

from collections.abc import Iterator

import pytest
from pytest_alembic.tests import (
    test_model_definitions_match_ddl,
    test_single_head_revision,
    test_up_down_consistency,
    test_upgrade,
)
from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.pool import NullPool

from tests.kit import CONFIG

__all__ = [
    "test_model_definitions_match_ddl",
    "test_single_head_revision",
    "test_up_down_consistency",
    "test_upgrade",
]

# On SQLite neither SQLAlchemy nor Alembic can compare an index on an expression, and both say so.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index"),
    pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index"),
]


@pytest.fixture
def alembic_config() -> dict[str, str]:
    """Which project the tests are about."""
    return {"file": str(CONFIG)}


@pytest.fixture
def alembic_engine(database_url: str) -> Iterator[Engine]:
    """A fresh database for each test, as the test asks for it by name."""
    engine = create_engine(database_url, poolclass=NullPool)
    # pytest-alembic reads before it writes, and a SQLite database is there only once somebody has looked into it.
    assert inspect(engine).get_table_names() == []
    yield engine
    engine.dispose()
