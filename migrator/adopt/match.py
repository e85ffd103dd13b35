"""Which revision a database is at, told by its schema alone."""

from collections.abc import Mapping

from sqlalchemy.engine import Connection

from migrator.adopt.other_runners import TABLES
from migrator.errors import error
from migrator.results.adoption import Adoption, Match, Verdict
from migrator.schema.compare import compare
from migrator.schema.replay import Replay
from migrator.schema.snapshot import Snapshot, snapshot, tables_in

_SHOWN = 3  # matches
_TABLES_NAMED = 10


def look(connection: Connection, replay: Replay) -> Verdict:
    """Compare the connected database with every revision. Reads only."""
    schemas = replay.schemas  # first, so that no transaction of the connected database is open meanwhile
    return judge(found(connection, replay), schemas, not_compared=replay.dialect.not_compared)


def judge(there: Snapshot, schemas: Mapping[str, Snapshot], *, not_compared: tuple[str, ...] = ()) -> Verdict:
    """Compare a schema with every revision's, the nearest first.

    Of revisions that are equally near the earliest comes first: a revision that changes rows only leaves no trace in the schema, and it is
    better to run it again than to leave it out.
    """
    known = {name for schema in schemas.values() for name in schema}
    revisions = {revision: schema for revision, schema in schemas.items() if revision != "base"}
    matches = [Match(revision, compare(there, schema, known=known)) for revision, schema in revisions.items()]
    matches.sort(key=lambda match: match.distance)  # stable: earlier revisions first
    alike = tuple(r for r, s in revisions.items() if r != matches[0].revision and s == revisions[matches[0].revision])
    tables = tables_in(there)
    extra = tuple(sorted(tables - known))
    return Verdict(tuple(matches[:_SHOWN]), alike, extra, len(known & tables), not_compared)


def found(connection: Connection, replay: Replay) -> Snapshot:
    """Return the connected database's schema, without the tables of this tool and of other runners. Reads only."""
    return snapshot(connection, replay.dialect, ignore=replay.tools_tables | TABLES)


def check(adoption: Adoption, *, accept_harmless: bool) -> None:
    """Raise unless the database is at one revision for certain: HistoryError where none of the tables is there, else StampRefused."""
    verdict = adoption.verdict
    if not verdict.tables:
        code = "adopt-foreign" if verdict.extra else "adopt-empty"
        raise error(code, tables=verdict.extra[:_TABLES_NAMED])
    best = verdict.best
    if best.exact or (accept_harmless and best.harmless):
        return
    code = "adopt-harmless" if best.harmless else "adopt-no-match"
    raise error(code, nearest=verdict.matches, best=best.revision, differences=best.differences, adoption=adoption)
