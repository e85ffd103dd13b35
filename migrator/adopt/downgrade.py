"""A downgrade below the revision at which a database was adopted: it would drop tables that no run of this history created."""

from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from migrator.errors import error
from migrator.history.log import Log
from migrator.schema.replay import Replay


def check_downgrade(connection: Connection, replay: Replay, revisions: Sequence[str], log: Log) -> None:
    """Raise HistoryError, saying what would go, when one of the revisions to be reverted never ran here, but was stamped over.

    Where nothing would go, a stamped revision may be reverted like any other. Reads only.
    """
    ran = log.last_runs(connection, revisions)
    if all(revision in ran for revision in revisions):
        return
    stamps = log.stamped(connection, (each.revision for each in replay.script.walk_revisions()))
    claimed = _claimed(replay, stamps)
    adopted = [revision for revision in revisions if revision not in ran and revision in claimed]
    gone = tuple(text for revision in adopted for text in _gone(connection, replay, revision))
    if gone:
        raise error("downgrade-adopted", first=adopted[0], gone=gone)


def _gone(connection: Connection, replay: Replay, revision: str) -> Iterator[str]:
    order = list(replay.schemas)
    before, after = replay.schemas[order[order.index(revision) - 1]], replay.schemas[revision]
    for name in after:
        if name not in before and after[name].kind == "table":
            yield _table(connection, name)
    for name in sorted(after.keys() & before.keys()):
        kept = {column.name for column in before[name].columns}
        yield from (f"column {name}.{column.name}" for column in after[name].columns if column.name not in kept)


def _claimed(replay: Replay, stamps: Collection[str]) -> set[str]:
    """The revisions that a stamp of this engine has claimed. Where nothing was stamped there are none, and nothing is replayed."""
    script = replay.script
    return {each.revision for stamp in stamps for each in script.iterate_revisions(stamp, "base")}


def _table(connection: Connection, name: str) -> str:
    schema, _, table = name.rpartition(".")
    rows = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table, schema=schema or None)))
    return f"table {name} with {rows} row{'' if rows == 1 else 's'}"
