"""A downgrade below the revision at which a database was adopted: it would drop tables that no run of this history created."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from migrator.errors import error
from migrator.history.log import latest_runs
from migrator.results import Entry
from migrator.schema.replay import Replay


def check_downgrade(connection: Connection, replay: Replay, revisions: Sequence[str], entries: Sequence[Entry]) -> None:
    """Raise HistoryError, saying what would go, when one of the revisions to be reverted never ran here, but was stamped over.

    Where nothing would go, a stamped revision may be reverted like any other. Reads only.
    """
    ran = latest_runs(entries)
    stamps = [entry.revision for entry in entries if entry.direction == "stamp" and entry.outcome == "done"]
    adopted = [revision for revision in revisions if revision not in ran and _below(replay, revision, stamps)]
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


def _below(replay: Replay, revision: str, stamps: Sequence[str]) -> bool:
    order = list(replay.schemas)
    return any(stamp in order and order.index(revision) <= order.index(stamp) for stamp in stamps)


def _table(connection: Connection, name: str) -> str:
    schema, _, table = name.rpartition(".")
    rows = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table, schema=schema or None)))
    return f"table {name} with {rows} row{'' if rows == 1 else 's'}"
