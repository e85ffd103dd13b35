"""SQL for a Python file. What a driver is sent has its percent signs doubled, and what a file says is doubled when it runs."""

from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_mock_engine
from sqlalchemy.engine import Connection


def plain_bind(connection: Connection) -> Any:
    """Return what SQL is compiled with as it is to be read: of the connection's kind, executes nothing."""
    bind = create_mock_engine(connection.engine.url, lambda *_: None, paramstyle="named")
    bind.dialect.server_version_info = connection.dialect.server_version_info
    bind.dialect.default_schema_name = connection.dialect.default_schema_name
    return bind


def plain_context(connection: Connection, options: dict[str, Any]) -> MigrationContext:
    """Return the context to render operations with. It is not connected."""
    return MigrationContext.configure(dialect=plain_bind(connection).dialect, opts=options)
