"""`run(connection)`: the one place where a migration happens, whichever command led here."""

from pathlib import Path
from typing import Any

from alembic import context
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.util import to_tuple
from sqlalchemy.engine import Connection

from migrator import dialects
from migrator.adopt import match
from migrator.dialects import Dialect
from migrator.dialects.dialect import log
from migrator.errors.tree import DatabaseError
from migrator.history import consistency
from migrator.results import Report
from migrator.runner import plan
from migrator.runner.step import Steps
from migrator.schema.autogenerate import leave_alone
from migrator.schema.replay import Replay
from migrator.settings import Settings
from migrator.url import mask

REPORT = "migrator.report"
SETTINGS = "migrator.settings"


def environment() -> EnvironmentContext:
    """Return the environment that env.py runs in; before configure() there is no other handle on the command's options."""
    return context._proxy  # type: ignore[attr-defined,no-any-return]


def writes() -> bool:
    """Return whether the command at hand is one that changes the database."""
    return "destination_rev" in environment().context_opts


def settings_of(config: Config) -> Settings:
    """Return the settings of this run: what the API handed over, else what alembic.ini and the environment say."""
    if SETTINGS not in config.attributes:
        ini = Path(config.config_file_name) if config.config_file_name else None
        config.attributes[SETTINGS] = Settings.load(ini, section=config.config_ini_section)
    settings: Settings = config.attributes[SETTINGS]
    return settings


def run(connection: Connection, **options: Any) -> None:
    """Do what the Alembic command at hand asks for, on this connection; called from env.py.

    Takes what `context.configure()` takes; the caller's `on_version_apply` hooks run before the engine's own. A command that reads
    writes nothing and takes no lock. A command that writes takes the lock, plans, validates, runs each step in one transaction, and
    reads the heads again on another connection. Raises a MigratorError; a step that failed is rolled back by then.
    """
    if connection.in_transaction():
        raise DatabaseError("connection-in-transaction")
    log.disabled = False  # the fileConfig() of Alembic's templates silences every logger that it does not know
    config = environment().config
    settings = settings_of(config)
    options = leave_alone(options, environment().script, settings.own)
    dialect = dialects.of(connection, settings)
    with dialect.explained(connection.engine.url):
        if writes():
            config.attributes[REPORT] = _write(connection, settings, dialect, options)
        else:
            context.configure(connection=connection, **options, dont_mutate=True)
            context.run_migrations()
            connection.commit()  # for `ensure_version`, which Alembic does not count among the commands that write


def _write(connection: Connection, settings: Settings, dialect: Dialect, options: dict[str, Any]) -> Report:
    if dialect.in_autocommit(connection):
        raise DatabaseError("connection-autocommit")
    opts = environment().context_opts
    function, asked = opts["fn"], opts["destination_rev"]
    steps = Steps(connection, settings, dialect)
    own = {
        "fn": steps.deal,
        "transactional_ddl": True,
        "transaction_per_migration": True,
        "on_version_apply": (*to_tuple(options.get("on_version_apply"), default=()), steps.on_version_apply),
    }
    dialect.await_readable(connection)
    try:
        context.configure(connection=connection, **{**options, **own})
        migration = context.get_context()
        script = migration.script
        assert script is not None
        steps.log.schema = migration.version_table_schema
        plan.load(script)
        replay = Replay(script, connection, dialect, migration.version_table)
        said = context.get_x_argument()  # `alembic -x no_verify stamp`, `alembic -x drop_adopted downgrade`
        if function.__name__ == "do_stamp" and settings.verify_stamp and "no_verify" not in said:
            steps.claim = match.Claim(connection, replay, settings)
        before = after = _heads(migration, connection)
        entries = steps.log.read(connection)
        connection.rollback()
        run_stored = settings.run_stored and function.__name__ == "downgrade"
        with consistency.weighed(script, () if migration.purge else before, entries, run_stored=run_stored):
            planned = plan.make(asked, function, before, migration)
            if function.__name__ == "downgrade" and not (settings.drop_adopted or "drop_adopted" in said):
                match.check_downgrade(connection, replay, [step.revision for step in planned], entries)
                connection.rollback()
            if planned:
                with dialect.lock(connection, migration.version_table):
                    with dialect.writing(connection, migration):
                        # Planned again, because another run may have moved the heads while this one waited.
                        before = after = _heads(migration, connection)
                        steps.heads = set(before)
                        for step in plan.make(asked, function, before, migration):
                            steps.take(step)
                    if steps.applied:  # still under the lock, because the next run may move them
                        after = _verified(migration, connection, dialect, steps)
            else:
                consistency.mention_begun(entries)
    finally:
        opts["fn"] = function  # an env.py may call run() once for each of several schemas
    return Report(mask(connection.engine.url), before, after, tuple(steps.applied))


def _heads(migration: MigrationContext, connection: Connection) -> tuple[str, ...]:
    heads = migration.get_current_heads()
    connection.rollback()
    return heads


def _verified(migration: MigrationContext, connection: Connection, dialect: Dialect, steps: Steps) -> tuple[str, ...]:
    with dialect.fresh(connection) as other:
        names = {"version_table": migration.version_table, "version_table_schema": migration.version_table_schema}
        heads = MigrationContext.configure(connection=other, opts=names).get_current_heads()
        other.rollback()
    if set(heads) != steps.heads:
        at, wanted = (", ".join(sorted(ids)) or "base" for ids in (heads, steps.heads))
        raise DatabaseError(
            "target-not-reached", at=at, wanted=wanted, applied=", ".join(step.revision for step in steps.applied)
        )
    return heads
