"""`run_env(metadata)`: all that an env.py has to call."""

import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.config import Config
from sqlalchemy.engine import Connection, Engine

from migrator import dialects
from migrator.autogenerate import options_for
from migrator.errors import DatabaseError
from migrator.runner import SETTINGS, environment, run, settings_of, writes
from migrator.settings import Settings
from migrator.url import driver_url


def run_env(metadata: sa.MetaData, **options: Any) -> None:
    """Do what the Alembic command at hand asks for, on the configured database or on `config.attributes["connection"]`.

    `options` are those of `context.configure()` and win over the defaults for autogenerate. Offline (`--sql`) only text
    is written. Online it ends in `migrator.run`, which see for locks, transactions and errors. Logging is set up for the
    `alembic` program alone.
    """
    config = context.config
    by_alembic = config.cmd_opts is not None and SETTINGS not in config.attributes
    if by_alembic and config.config_file_name and config.file_config.has_section("loggers"):
        logging.config.fileConfig(config.config_file_name, disable_existing_loggers=False)
    settings = settings_of(config)
    options = {**options_for(metadata), **options}
    if context.is_offline_mode() or _writes_a_file_only():
        _offline(settings, options)
        return
    with _connected(config, settings) as connection:
        run(connection, **options)


def _writes_a_file_only() -> bool:
    """`revision` without --autogenerate, and `merge`, come here for the template's values and need no database."""
    opts = environment().context_opts
    revision = opts.get("revision_context")
    return "template_args" in opts and not (revision and revision.command_args["autogenerate"])


def _offline(settings: Settings, options: dict[str, Any]) -> None:
    url = driver_url(settings.database_url, root=settings.root, source=settings.source)
    context.configure(
        url=url,
        as_sql=True,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        transactional_ddl=True,
        transaction_per_migration=True,
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()


@contextmanager
def _connected(config: Config, settings: Settings) -> Iterator[Connection]:
    given = config.attributes.get("connection")
    if isinstance(given, Connection):
        yield given
        return
    engine = given if isinstance(given, Engine) else None
    if engine is None:
        url = driver_url(settings.database_url, root=settings.root, source=settings.source)
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool if url.database else None)
    dialect = dialects.named(engine.dialect.name, settings)
    path = dialect.missing(engine.url)
    if path is not None and not writes():
        raise DatabaseError("database-missing", path=Path(path), source=settings.source)
    try:
        with dialect.explained(engine.url):
            connection = engine.connect()
        with connection:
            yield connection
    finally:
        if engine is not given:
            engine.dispose()
