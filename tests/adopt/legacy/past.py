"""Our own tables as `Base.metadata.create_all()` made them, when the models were those of a past revision."""

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from app.models import Base
from tests.scaffold.population import populate

_TABLES = {
    "001": ("users", "usage_tracking", "datasets", "analyses"),
    "002": ("conversations",),
    "003": ("chat_messages",),
    "004": ("conversation_summaries",),
    "007": ("reports",),
    "008": ("user_sessions",),
    "009": ("documents", "sections"),
    "010": ("memories",),
}
_COLUMNS = {
    "005": {"chat_messages.chart_data"},
    "006": {f"datasets.{name}" for name in ("context", "purpose", "source", "notes")},
    "011": {"user_sessions.status"},
    "012": {"sections.version"},
}


def models_at(revision: str) -> sa.MetaData:
    """The models of that time: the tables and columns that later revisions brought are not there."""
    tables = {name for at, names in _TABLES.items() if at <= revision for name in names}
    later = {name for at, names in _COLUMNS.items() if at > revision for name in names}
    past = sa.MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        if table.name in tables:
            _without(table.to_metadata(past), later)
    return past


def create_all(url: str, revision: str, *, rows: bool = True) -> None:
    """What the old `init_db()` did, and a few hundred rows."""
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        models_at(revision).create_all(connection)
        if rows:
            populate(connection, users=10, datasets=20, conversations=20, messages=100)


def _without(table: sa.Table, later: set[str]) -> None:
    gone = {column.name for column in table.columns if str(column) in later}
    for index in [found for found in table.indexes if gone & {column.name for column in found.columns}]:
        table.indexes.remove(index)
    for rule in [found for found in table.constraints if gone & _spoken(found)]:
        table.constraints.remove(rule)
    for name in gone:
        table._columns.remove(table.columns[name])  # there is no public way, and no model of that time any more


def _spoken(rule: sa.Constraint) -> set[str]:
    if isinstance(rule, sa.CheckConstraint):
        return set(str(rule.sqltext).split())
    return {column.name for column in rule.columns} if isinstance(rule, sa.schema.ColumnCollectionConstraint) else set()
