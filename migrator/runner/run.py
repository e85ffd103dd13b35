"""`run(connection)`: the one place where a migration happens, whichever command led here."""

import logging
from functools import partial
from signal import SIGTERM, raise_signal
from typing import Any

from alembic import context
from alembic.util import to_tuple
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator import alembic_private, dialects
from migrator.alembic_private import environment
from migrator.errors import error
from migrator.errors.printable import PRINTABLE
from migrator.errors.progress import consequence
from migrator.history import heads
from migrator.masking import mask, scrub
from migrator.results import Report
from migrator.runner.guards import guards_of
from migrator.runner.request import RAN, REPORT, refuse_another, request_of, settings_of, writes
from migrator.runner.signals import Signals
from migrator.runner.state import Run
from migrator.runner.step import StepRunner
from migrator.schema.autogenerate import hide_unowned_tables, keep_directives

_log = logging.getLogger("migrator")


def run(connection: Connection, **options: Any) -> None:
    """Do what the Alembic command at hand asks for, on this connection; called from env.py.

    Takes what `context.configure()` takes; the caller's `on_version_apply` hooks run before the engine's own. A command that reads
    writes nothing and takes no lock. A command that writes takes the lock, plans, validates, runs each step in one transaction, and
    reads the heads again on another connection. Raises a MigratorError; its `progress` says what was committed by then. Ctrl-C cancels the
    statement that runs and raises KeyboardInterrupt; SIGTERM does the same, and then ends the process.
    """
    if connection.in_transaction():
        raise error("connection-in-transaction")
    # The fileConfig() of Alembic's templates silences loggers that it does not know.
    logger = logging.getLogger("migrator")
    logger.disabled = False
    logger.addFilter(PRINTABLE)
    config = environment().config
    settings = settings_of(config, connection)
    dialect = dialects.of(connection)
    undescribed = partial(dialect.undescribed_tables, connection)
    script, owned, log = environment().script, settings.owned_tables, settings.log_table
    options = hide_unowned_tables(options, script, owned, log=log, undescribed=undescribed)
    if not writes():
        if alembic_private.is_check(environment().context_opts.get("fn")):
            options = keep_directives(options)
        with dialect.translate_driver_errors(connection.engine.url, settings.source):
            _read(connection, options)
        return
    url = mask(connection.engine.url)
    refuse_another(config, url)
    state = Run(connection, settings, request_of(settings), dialect)
    steps, signals = StepRunner(state), Signals(state.session.cancel)
    try:
        with dialect.translate_driver_errors(connection.engine.url, settings.source), signals.watched():
            config.attributes[REPORT] = _write(state, steps, options)
    except BaseException as raised:
        steps.progress.attach(raised)
        if not isinstance(raised, Exception):
            raised.add_note(
                consequence(steps.progress)
            )  # an interruption is shown by Python itself, where migrate.py does not
        if signals.terminated:
            _log.error("Terminated (SIGTERM). %s", consequence(steps.progress))
            raise_signal(SIGTERM)  # as it would have ended without the engine
        raise
    finally:
        config.attributes[RAN] = (url, steps.progress)
        state.close()


def _read(connection: Connection, options: dict[str, Any]) -> None:
    try:
        context.configure(connection=connection, **options, dont_mutate=True)
        heads.read(context.get_context())
        connection.rollback()
        context.run_migrations()
    except DBAPIError as raised:
        compared = alembic_private.compared(raised)
        if compared is None or raised.connection_invalidated:
            raise
        reason = scrub(" ".join(str(raised.orig).split()), connection.engine.url)
        raise error("comparison-failed", compared=compared, reason=reason, statement=raised.statement) from raised
    connection.commit()  # for `ensure_version`, which Alembic does not count among the commands that write


def _write(run: Run, steps: StepRunner, options: dict[str, Any]) -> Report:
    if run.dialect.in_autocommit(run.connection):
        raise error("connection-autocommit")
    opts = environment().context_opts
    function = opts["fn"]
    own = {
        "fn": steps.next_for_alembic,
        "transactional_ddl": True,
        "transaction_per_migration": True,
        "on_version_apply": (*to_tuple(options.get("on_version_apply"), default=()), steps.before_commit),
    }
    try:
        run.session.await_readable()
        context.configure(connection=run.connection, **{**options, **own})
        run.load(context.get_context())
        steps.start_at(run.heads)
        plan = run.plan(function)
        steps.guards = guards_of(run)
        for guard in steps.guards:
            guard.before_run(plan)
        if plan:
            with run.session.lock(run.migration.version_table):
                with run.session.writing(run.migration):
                    steps.start_at(run.read_heads())  # another run may have moved them while this one waited
                    plan = run.plan(function)
                    for guard in steps.guards:
                        guard.under_lock(plan)
                    for step in plan:
                        steps.run(step)
                _verify(run, steps)  # still under the lock, because the next run may move them
        for guard in steps.guards:
            guard.after_run(steps.progress)
    finally:
        opts["fn"] = function  # an env.py may call run() once for each of several schemas
    done = steps.progress
    compared = run.request.direction == "stamp" and run.request.verify and done.applied
    not_compared = run.dialect.not_compared if compared else ()
    return Report(mask(run.connection.engine.url), done.before, done.at, done.applied, not_compared)


def _verify(run: Run, steps: StepRunner) -> None:
    """Raise DatabaseError unless the version table says what the steps wrote, read on another connection."""
    done = steps.progress
    if not done.applied:
        return
    with run.session.second_connection() as other:
        found = run.heads_on(other)
    if set(found) != set(done.at):
        applied = tuple(step.revision for step in done.applied)
        raise error("target-not-reached", at=tuple(sorted(found)), wanted=done.at, applied=applied)
