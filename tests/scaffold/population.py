"""A database full of realistic and awkward rows, the same ones every time, on either dialect and at any revision."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
)

from app.models import Base
from migrator.types import GUID, JSONDocument, UTCDateTime

BATCH = 1000
FEW = {"users": 40, "datasets": 200, "conversations": 400, "messages": 1200}
"""What `populate` is told where the number of rows does not matter: every shape of row is still there, and more than one batch."""
EARLY = datetime(1, 1, 2, tzinfo=UTC)
LATE = datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)

PHRASES = (
    "",
    " leading and trailing ",
    "O'Brien said \"100 % of it\" \\ 'quoted'; DROP TABLE users; --",
    "%s %(name)s {} :parameter ?",
    "Zoë Ångström, naïve café",
    "décomposé: e\u0301a\u0308 n\u0303",
    "שלום עולם, مرحبا بالعالم \u202eright to left\u202c",
    "数据分析 テスト 한국어 ไทย",
    "👩‍🚀👨‍👩‍👧‍👦🏳️‍🌈 𝕊𝕦𝕣𝕣𝕠𝕘𝕒𝕥𝕖 😀",
    "line one\nline two\r\n\ttab \u00a0 no-break \u200b zero-width \ufeff mark",
    "NULL",
    "null",
    "007",
    "1e3",
    "true",
    "'",
    '"',
    "\\",
    "İstanbul ß ẞ ſ K",
    "2024-02-29T23:59:60Z",
)
DOCUMENTS: tuple[Any, ...] = (
    {},
    {"absent": None, "nested": {"absent": None, "list": [None, [], {}]}},
    {"integers": [0, -1, 2**53 + 1, -(2**63), 10**30], "floats": [0.1, 1.5, -2.25, 1e-7], "flags": [True, False]},
    {"": "empty key", "ключ 'quoted' \"key\" \\ %": list(PHRASES), "a.b": {"$.c": "path-like"}},
)
WORDS = {
    "users.tier": ("free", "pro", "team", "enterprise"),
    "analyses.status": ("pending", "running", "completed", "failed", "cancelled"),
    "chat_messages.role": ("system", "user", "assistant", "tool"),
    "reports.status": ("processing", "completed", "error"),
    "reports.report_type": ("standard", "executive", "detailed"),
    "user_sessions.status": ("active", "expired", "revoked"),
    "documents.kind": ("note", "prd", "upload"),
    "memories.kind": ("fact", "preference", "summary"),
}
LISTS = {"columns", "tool_calls", "sql_results", "visualizations", "insights"}


def populate(
    connection: Connection,
    *,
    users: int = 200,
    datasets: int = 1000,
    conversations: int = 2000,
    messages: int = 20000,
    seed: int = 1,
) -> dict[str, int]:
    """Fill every empty table that exists in the database, in the columns that exist; return the rows written by table.

    Guarantees the same values for the same arguments, whatever the dialect and the revision: a column holds the same
    in a database that was filled before another column was added. Writes within the connection's transaction and
    leaves the commit to the caller. Called again after an upgrade, with the same arguments, it fills what is new.
    """
    counts = {
        "users": users,
        "usage_tracking": users * 3,
        "datasets": datasets,
        "analyses": datasets,
        "conversations": conversations,
        "chat_messages": messages,
        "conversation_summaries": conversations // 2,
        "reports": datasets // 2,
        "user_sessions": users * 2,
        "documents": users * 2,
        "sections": users * 6,
        "memories": users * 3,
    }
    inspector = inspect(connection)
    existing = set(inspector.get_table_names())
    written: dict[str, int] = {}
    for table in Base.metadata.sorted_tables:
        if table.name not in existing or connection.execute(select(table.c.id).limit(1)).first():
            continue
        present = {column["name"] for column in inspector.get_columns(table.name)}
        rows = _Rows(table, counts, seed).all()
        for start in range(0, len(rows), BATCH):
            batch = [{name: row[name] for name in row if name in present} for row in rows[start : start + BATCH]]
            connection.execute(insert(table), batch)
        written[table.name] = len(rows)
    return written


class _Rows:
    """The rows of one table: by column type, except where a constraint or good sense asks for more."""

    def __init__(self, table: Table, counts: Mapping[str, int], seed: int) -> None:
        self.table = table
        self.counts = counts
        self.seed = seed
        self.ids = {
            key.column.table.name: _identifiers(key.column.table.name, counts, seed) for key in table.foreign_keys
        }

    def all(self) -> list[dict[str, Any]]:
        # One source of chance a column: a column that does not exist yet changes no other one's values.
        columns = {column.name: self.column(column) for column in self.table.columns}
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        for index, row in enumerate(rows):
            if self.table.name == "conversations" and row["customer_id"] is None:
                row["session_id"] = f"visitor-{index}"
        return rows

    def column(self, column: Column[Any]) -> list[Any]:
        count = self.counts.get(self.table.name, self.counts["users"])
        if column.name == "id":
            return _identifiers(self.table.name, self.counts, self.seed)
        random = Random(f"{self.seed}:{column}")
        make = self.exact(str(column)) or self.by_type(column, random)
        return [None if column.nullable and random.random() < 0.3 else make(index) for index in range(count)]

    def exact(self, name: str) -> Callable[[int], Any] | None:
        """Values that have to be unique, or of a form, by row number."""
        users = self.counts["users"]
        return {
            "users.email": lambda i: f"Usér.{i}+o'brien@{'sub.' * (i % 5)}exämple.org",
            "users.stripe_customer_id": lambda i: f"cus_{i:014d}",
            "usage_tracking.user_id": lambda i: self.ids["users"][i % users],
            "usage_tracking.month_year": lambda i: f"{(0, 1999, 2024, 9999)[i // users % 4]:04d}-{i % 12 + 1:02d}",
            "conversation_summaries.conversation_id": lambda i: self.ids["conversations"][i],
            "user_sessions.token_hash": lambda i: f"{i:064x}",
            "user_sessions.expires_at": lambda i: (EARLY, LATE)[i % 2],
            "sections.document_id": lambda i: self.ids["documents"][i // 3],
            "sections.position": lambda i: i % 3 - 1,
        }.get(name)

    def by_type(self, column: Column[Any], random: Random) -> Callable[[int], Any]:
        if str(column) in WORDS:
            return lambda i: random.choice(WORDS[str(column)])
        for key in column.foreign_keys:
            parents = self.ids[key.column.table.name]
            return lambda i: random.choice(parents)
        least = -(2**31) if column.nullable else 1
        match column.type:
            case GUID():
                return lambda i: uuid.UUID(int=random.getrandbits(128), version=4)
            case JSONDocument():
                return lambda i: _document(random, i, as_list=column.name in LISTS)
            case UTCDateTime():
                return lambda i: _moment(random)
            case Boolean():
                return lambda i: random.random() < 0.8
            case BigInteger():
                return lambda i: random.choice([2**63 - 1, least * 2**31, random.randrange(2**40)])
            case Integer():
                return lambda i: random.choice([2**31 - 1, least, random.randrange(1, 1000)])
            case Float():
                return lambda i: random.choice([0.0, 1.0, 0.1 + 0.2, 1e-300, random.random()])
            case Text():
                return lambda i: _text(random, i)
            case String(length=length):
                return lambda i: _text(random, 1)[: length or 255]
        raise TypeError(f"no values are known for {column} of type {column.type!r}")


def _identifiers(table: str, counts: Mapping[str, int], seed: int) -> list[uuid.UUID]:
    random = Random(f"{seed}:{table}.id")
    return [uuid.UUID(int=random.getrandbits(128), version=4) for _ in range(counts.get(table, counts["users"]))]


def _text(random: Random, index: int) -> str:
    """A phrase or a few; now and then one that PostgreSQL has to store out of line, in the first row a huge one."""
    if index == 0:
        return "".join(PHRASES) * 300
    return random.choice(PHRASES) * (200 if index % 500 == 0 else random.choice((1, 1, 2)))


def _moment(random: Random) -> datetime:
    some = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=random.randrange(10**14))
    return random.choice((some, some, some, some.replace(microsecond=0), EARLY, LATE))


def _document(random: Random, index: int, *, as_list: bool) -> Any:
    """A small document, an awkward one, or, every hundredth row, a deep one."""
    document: Any = {"row": index, "label": random.choice(PHRASES), "share": random.random()}
    if index % 100 == 0:
        for level in range(100):
            document = {f"level {level}": document} if level % 2 else [level, None, document]
    elif random.random() < 0.1:
        document = random.choice(DOCUMENTS)
    if as_list:
        return [document]
    return document if isinstance(document, dict) else {"deep": document}
