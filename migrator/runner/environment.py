"""`run_env(metadata)`: all that an env.py has to call."""

import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError

from migrator import dialects
from migrator.alembic_private import environment
from migrator.dialects.dialect import Dialect
from migrator.errors import error
from migrator.errors.tree import HistoryError
from migrator.history import files
from migrator.masking import scrub
from migrator.runner import plan
from migrator.runner.alembic_errors import translate_alembic_errors
from migrator.runner.request import SETTINGS, settings_of, writes
from migrator.runner.run import run
from migrator.schema.autogenerate import options_for
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
    opts = environment().context_opts
    with translate_alembic_errors(config, asked=opts.get("destination_rev"), start=opts.get("starting_rev")):
        if context.is_offline_mode() or _writes_a_file_only():
            _offline(_url(config, settings), settings, options)
            return
        with _connected(config, settings) as connection:
            run(connection, **options)


def _writes_a_file_only() -> bool:
    """`revision` without --autogenerate, and `merge`, come here for the template's values and need no database."""
    opts = environment().context_opts
    revision = opts.get("revision_context")
    return "template_args" in opts and not (revision and revision.command_args["autogenerate"])


def _url(config: Config, settings: Settings) -> sa.URL:
    given = _given(config)
    if given is not None:
        return given.engine.url
    return driver_url(settings.database_url, root=settings.root, source=settings.source)


def _given(config: Config) -> Connection | Engine | None:
    given = config.attributes.get("connection")
    if given is not None and not isinstance(given, Connection | Engine):
        raise error("connection-unknown", type=f"{type(given).__module__}.{type(given).__qualname__}")
    return given


def _offline(url: sa.URL, settings: Settings, options: dict[str, Any]) -> None:
    if writes():
        files.load(environment().script)
    context.configure(
        url=url,
        fn=_whole(environment().context_opts["fn"]),
        as_sql=True,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        transactional_ddl=True,
        transaction_per_migration=True,
        **options,
    )
    dialects.named(url.get_backend_name()).offline(context.get_context())
    with context.begin_transaction():
        context.run_migrations()


def _whole(function: plan.StepFunction) -> plan.StepFunction:
    @wraps(function)
    def checked(heads: Any, migration: MigrationContext) -> Iterator[RevisionStep | StampStep]:
        for step in function(heads, migration):
            yield files.whole(step) if isinstance(step, RevisionStep) else step

    return checked


@contextmanager
def _connected(config: Config, settings: Settings) -> Iterator[Connection]:
    given = _given(config)
    if isinstance(given, Connection):
        yield given
        return
    url = _url(config, settings)
    engine = given or _engine(url, settings.source)
    dialect = dialects.named(engine.dialect.name)
    path = dialect.missing(url)
    if path is not None and not (writes() and _changes_an_empty(dialect)):
        raise error("database-missing", path=Path(path), source=settings.source)
    try:
        with dialect.translate_driver_errors(url, settings.source):
            connection = engine.connect()
        with connection:
            yield connection
    finally:
        if engine is not given:
            engine.dispose()


def _engine(url: sa.URL, source: str) -> Engine:
    """Return an engine; connects to nothing. Raises SettingsError for an argument of the URL that cannot be used."""
    try:
        return sa.create_engine(url, poolclass=sa.pool.NullPool if url.database else None)
    except (ArgumentError, TypeError, ValueError) as refused:
        raise error("url-unusable", source=source, reason=scrub(str(refused), url)) from refused


def _changes_an_empty(dialect: Dialect) -> bool:
    """Plan for a database that is not there yet, so that none is created for a command that then refuses or has nothing to do."""
    opts = {**environment().context_opts, "script": environment().script, "transactional_ddl": True}
    migration = MigrationContext.configure(dialect_name=dialect.name, opts=opts)
    texts = files.load(environment().script)
    try:
        return bool(plan.make(opts["destination_rev"], opts["fn"], (), migration, texts))
    except HistoryError as refused:
        if refused.code != "revision-out-of-reach":  # where there is nothing, nothing can be reverted
            raise
        return False
