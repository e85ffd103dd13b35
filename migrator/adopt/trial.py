"""A bridge run in a scratch copy of the database's schema, before it is offered."""

from collections.abc import Callable, Iterable
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from migrator.adopt.match import History, found
from migrator.adopt.other_runners import TABLES
from migrator.errors.tree import MigratorError
from migrator.results.adoption import Difference, Match
from migrator.schema.compare import compare
from migrator.schema.replay import Replay, Replayed
from migrator.schema.snapshot import Snapshot, reflecting, snapshot


def unfixed(
    connection: Connection, replay: Replay, match: Match, parts: Iterable[Callable[[], None]]
) -> tuple[str, ...]:
    """Return in words what still differs from the match's revision after all `parts` have run; nothing if they arrive.

    The connected database is only read. What the scratch copy cannot have of it was not tried, and counts as not fixed.
    """
    history, there = History(replay.schemas), found(connection, replay)
    with replay.at(match.revision) as scratch:

        def seen() -> Snapshot:
            return snapshot(scratch.connection, replay.dialect, ignore=replay.tools_tables)

        differing = {difference.table for difference in match.differences}
        copy = partial(_copy, connection, replay, there, differing, scratch)
        if (reason := _run(replay, scratch, match.revision, copy, checked=False)) is not None:
            return (f"The schema could not be copied to try the bridge: {reason}", *(each.text for each in match.real))
        before = seen()
        untried = _real(match) - _real(history.match(before, match.revision))
        lacking = {_key(each) for each in compare(before, there)}
        failed = [reason for upgrade in parts if (reason := _run(replay, scratch, match.revision, upgrade))]
        left = history.match(seen(), match.revision).real
        scratch.connection.rollback()
    remaining = [each.text for each in left if _key(each) not in lacking]
    return (
        *failed,
        *remaining,
        *(each.text for each in match.real if _key(each) in untried and each.text not in remaining),
    )


def _run(
    replay: Replay, scratch: Replayed, revision: str, upgrade: Callable[[], None], *, checked: bool = True
) -> str | None:
    """Run something and keep what it does, so that the next part can be tried too; return why it fails, None if it does not.

    `checked` is whether it may break no foreign key.
    """
    try:
        scratch.run(upgrade)
        reason = "; ".join(map(str, scratch.broken())) if checked else ""
        if not reason:
            scratch.connection.commit()
            return None
    except MigratorError as raised:
        raised.add(revision=revision, path=f"to_{revision}.py")
        reason = " ".join(raised.fact.split())
    except Exception as raised:
        if isinstance(raised, DBAPIError) and raised.connection_invalidated:
            raise
        reason = replay.reason(raised)
    scratch.connection.rollback()
    return reason


_Key = tuple[str, str, str | None, str | None]


def _key(it: Difference) -> _Key:
    return it.table, it.kind, it.object, it.wanted


def _real(match: Match) -> set[_Key]:
    return {_key(each) for each in match.real}


def _copy(connection: Connection, replay: Replay, there: Snapshot, differing: set[str], scratch: Replayed) -> None:
    """Replace the tables that differ with the database's own: all of them where their SQL is stored, else as SQLAlchemy reflects them.

    With them come the tables that refer to them and the views on them, also those of nobody: they may forbid an operation.
    """
    made, dialect, target = snapshot(scratch.connection, replay.dialect), replay.dialect, scratch.connection
    texts = dialect.definitions(connection, replay.tools_tables | (TABLES - replay.known_tables))
    copied = set() if texts else _with_referring(connection, differing)
    views = dialect.views_on(connection, copied)
    copied |= {name for name, sql in views.items() if sql is None and name not in made}
    quote = target.dialect.identifier_preparer.quote_identifier
    # What has its schema in front is not replaced: it may be the user's, where the scratch place is a schema among theirs.
    kept = replay.tools_tables if texts else {name for name in made if name not in copied or "." in name}
    for kind in ("view", "table"):
        for name in [name for name, it in made.items() if it.kind == kind and name not in kept]:
            cascade = "" if texts else " CASCADE"
            parts = ".".join(map(quote, name.split(".", 1)))
            target.exec_driver_sql(f"DROP {kind.upper()} IF EXISTS {parts}{cascade}")
    for text in texts:
        target.exec_driver_sql(text)
    if not texts:
        metadata = sa.MetaData()
        with reflecting():
            metadata.reflect(connection, only=lambda name, _: name in copied)
        metadata.create_all(target)
    for name, sql in views.items():
        if sql is not None and not sa.inspect(target).has_table(name):
            target.execute(sa.text(sql.replace(":", "\\:")))


def _with_referring(connection: Connection, tables: set[str]) -> set[str]:
    """Return the tables with those whose foreign keys lead to them, directly or through others."""
    found = set(tables)
    with reflecting():
        keys = sa.inspect(connection).get_multi_foreign_keys()
    while more := {name for (_, name), own in keys.items() if found & {it["referred_table"] for it in own}} - found:
        found |= more
    return found
