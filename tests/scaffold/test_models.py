"""The models say and do the same on SQLite and on PostgreSQL."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import JSON, Engine, bindparam, delete, func, insert, inspect, literal_column, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session, configure_mappers

from app.database import make_engine, make_sessions
from app.models import (
    Analysis,
    Base,
    ChatMessage,
    Conversation,
    ConversationSummary,
    Dataset,
    Document,
    Memory,
    Report,
    Section,
    UsageTracking,
    User,
    UserSession,
)
from migrator.types import GUID, JSONDocument, UTCDateTime

SPELLED = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
IDENTIFIER = uuid.UUID(SPELLED)
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database of each dialect, with the models' tables, for all the tests here: none of them changes a table."""
    server = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    url = server.create_database() if server else f"sqlite:///{tmp_path_factory.mktemp('models') / 'test.db'}"
    engine = make_engine(url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
    if server:
        server.drop_database(url)


@pytest.fixture
def engine(database: Engine) -> Iterator[Engine]:
    yield database
    with database.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with make_sessions(engine)() as session:
        yield session


def family(session: Session) -> dict[str, Any]:
    """Store one valid row of every model, tied together by every foreign key there is, and return them by table."""
    user = User(email="Zoë@example.org")
    dataset = Dataset(user=user, name="sales")
    conversation = Conversation(customer=user, dataset=dataset)
    document = Document(user=user, title="plan")
    rows = [
        user,
        dataset,
        conversation,
        document,
        UsageTracking(user=user, month_year="2024-02"),
        Analysis(user=user, dataset=dataset, title="trend"),
        ChatMessage(conversation=conversation, role="user"),
        ConversationSummary(conversation=conversation, title="sales", summary="about sales"),
        Report(user=user, dataset=dataset, conversation=conversation, query="how much?"),
        UserSession(user=user, token_hash="0" * 64, expires_at=TOMORROW),
        Section(document=document, position=1, heading="one"),
        Memory(user=user, conversation=conversation, content="likes tables"),
    ]
    session.add_all(rows)
    session.commit()
    return {row.__tablename__: row for row in rows}


def stored(session: Session, column: Any) -> Any:
    """Return the one value of a column as the database holds it, by no type of ours."""
    return session.execute(text(f"SELECT {column.name} FROM {column.table.name}")).scalar_one()


def counts(session: Session) -> dict[str, int]:
    return {
        table.name: session.scalar(select(func.count()).select_from(table)) or 0
        for table in Base.metadata.tables.values()
    }


def test_every_model_is_stored_and_read_back(engine: Engine) -> None:
    configure_mappers()
    sessions = make_sessions(engine)
    with sessions() as session:
        rows = family(session)
        assert set(rows) == set(Base.metadata.tables)
        assert set(counts(session).values()) == {1}
    with sessions() as session:
        for row in rows.values():
            again = session.get_one(type(row), row.id)
            for attribute in inspect(type(row)).column_attrs:
                assert getattr(again, attribute.key) == getattr(row, attribute.key)


def test_both_sides_of_every_relationship_find_each_other() -> None:
    for mapper in Base.registry.mappers:
        for relationship in mapper.relationships:
            assert relationship.back_populates, relationship
            other = relationship.mapper.relationships[relationship.back_populates]
            assert other.back_populates == relationship.key


def test_a_foreign_key_acts_in_the_database_not_in_the_session(session: Session) -> None:
    rows = family(session)
    session.delete(rows["users"])
    session.commit()
    assert set(counts(session).values()) == {0}


def test_deleting_a_user_by_statement_takes_everything_of_theirs(session: Session) -> None:
    family(session)
    session.execute(delete(User))
    assert set(counts(session).values()) == {0}


def test_deleting_a_dataset_takes_its_reports_and_is_forgotten_by_the_rest(session: Session) -> None:
    rows = family(session)
    session.execute(delete(Dataset))
    session.expire_all()
    left = counts(session)
    assert {table for table, count in left.items() if count == 0} == {"datasets", "reports"}
    assert rows["analyses"].dataset_id is None
    assert rows["conversations"].dataset_id is None


def test_deleting_a_conversation_takes_its_messages_and_is_forgotten_by_the_rest(session: Session) -> None:
    rows = family(session)
    session.execute(delete(Conversation))
    session.expire_all()
    left = counts(session)
    gone = {"conversations", "chat_messages", "conversation_summaries"}
    assert {table for table, count in left.items() if count == 0} == gone
    assert rows["reports"].conversation_id is None
    assert rows["memories"].conversation_id is None


@pytest.mark.parametrize(
    ("model", "kept"),
    [(Dataset, Analysis), (Dataset, Conversation), (Conversation, Report), (Conversation, Memory)],
)
def test_deleting_through_the_orm_keeps_what_the_database_keeps(
    session: Session, model: type[Base], kept: type[Base]
) -> None:
    rows = family(session)
    session.delete(rows[model.__tablename__])
    session.commit()
    assert counts(session)[kept.__tablename__] == 1


def test_a_row_that_refers_to_nothing_is_refused(session: Session) -> None:
    session.add(Dataset(user_id=uuid.uuid4(), name="orphan"))
    with pytest.raises(IntegrityError):
        session.commit()


def test_the_server_fills_in_its_defaults(session: Session) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    rows = family(session)
    session.expire_all()
    assert (rows["users"].tier, rows["users"].is_active) == ("free", True)
    assert rows["analyses"].status == "pending"
    assert (rows["reports"].status, rows["reports"].report_type) == ("processing", "standard")
    assert rows["user_sessions"].status == "active"
    assert (rows["documents"].kind, rows["memories"].kind) == ("note", "fact")
    assert (rows["chat_messages"].content, rows["sections"].body) == ("", "")
    assert (rows["chat_messages"].is_active, rows["conversations"].is_active) == (True, True)
    assert (rows["conversations"].message_count, rows["sections"].version) == (0, 1)
    usage = rows["usage_tracking"]
    assert (usage.datasets_uploaded, usage.analyses_run, usage.reports_generated) == (0, 0, 0)
    assert (usage.chat_messages_sent, usage.storage_bytes, usage.tokens_used) == (0, 0, 0)
    for row in rows.values():
        assert before <= row.created_at <= datetime.now(UTC) + timedelta(minutes=1)
        assert row.created_at.tzinfo is UTC


def test_an_update_moves_updated_at_and_leaves_created_at(session: Session) -> None:
    user = family(session)["users"]
    session.execute(update(User).values(updated_at=datetime(2020, 1, 1, tzinfo=UTC)))
    session.refresh(user)
    created = user.created_at
    user.display_name = "Zoë"
    session.commit()
    session.refresh(user)
    assert user.updated_at.year > 2020
    assert user.created_at == created


REFUSED: list[tuple[Any, str, list[Any]]] = [
    (User.tier, "ck_users_tier", ["gold", "Free", ""]),
    (
        UsageTracking.month_year,
        "ck_usage_tracking_month_year",
        ["2024-13", "2024-00", "2024/01", "202a-01", "-024-01", "2024-1", "24-01", "", "2024-1a", "٢٠٢٤-01", " 024-01"],
    ),
    *(
        (getattr(UsageTracking, counter), f"ck_usage_tracking_{counter}_not_negative", [-1])
        for counter in (
            "datasets_uploaded",
            "analyses_run",
            "reports_generated",
            "chat_messages_sent",
            "storage_bytes",
            "tokens_used",
        )
    ),
    (Analysis.status, "ck_analyses_status", ["done"]),
    (Conversation.message_count, "ck_conversations_message_count_not_negative", [-1]),
    (Conversation.customer_id, "ck_conversations_customer_or_session", [None]),
    (ChatMessage.role, "ck_chat_messages_role", ["robot"]),
    (Report.status, "ck_reports_status", ["pending"]),
    (Report.report_type, "ck_reports_report_type", ["long"]),
    (UserSession.status, "ck_user_sessions_status", ["lost"]),
    (Document.kind, "ck_documents_kind", ["memo"]),
    (Section.version, "ck_sections_version_positive", [0, -1]),
    (Memory.kind, "ck_memories_kind", ["dream"]),
    (Memory.importance, "ck_memories_importance_range", [-0.1, 1.1, float("inf")]),
]


def test_every_check_refuses_what_it_is_there_for(session: Session, subtests: pytest.Subtests) -> None:
    family(session)
    for column, name, values in REFUSED:
        for value in values:
            with subtests.test(name, value=value):
                with pytest.raises(IntegrityError, match=name):
                    session.execute(update(column.class_).values({column: value}))
                session.rollback()
    named = {str(c.name) for t in Base.metadata.tables.values() for c in t.constraints if str(c.name).startswith("ck_")}
    assert {name for _, name, _ in REFUSED} == named


@pytest.mark.parametrize("month", ["0000-01", "2024-02", "2024-10", "9999-12"])
def test_a_month_is_four_digits_and_one_of_twelve(session: Session, month: str) -> None:
    family(session)
    session.execute(update(UsageTracking).values(month_year=month))
    assert session.scalar(select(UsageTracking.month_year)) == month


def test_a_conversation_needs_a_customer_or_a_session(session: Session) -> None:
    user = User(email="a@example.org")
    session.add_all([Conversation(session_id="visitor"), Conversation(customer=user)])
    session.add(Conversation(customer=user, session_id="was a visitor"))
    session.commit()
    session.add(Conversation(title="nobody's"))
    with pytest.raises(IntegrityError, match="ck_conversations_customer_or_session"):
        session.commit()


@pytest.mark.parametrize(
    ("again", "name"),
    [
        (lambda: User(email="zoë@EXAMPLE.org"), "uq_users_email_lower"),
        (lambda: User(email="b@example.org", stripe_customer_id="cus_1"), "stripe_customer_id"),
    ],
)
def test_a_user_is_unique_by_email_in_any_case_and_by_stripe_customer(
    session: Session, again: Callable[[], User], name: str
) -> None:
    family(session)["users"].stripe_customer_id = "cus_1"
    session.add(User(email="no-customer@example.org"))
    session.add(User(email="no-customer-either@example.org"))
    session.commit()
    session.add(again())
    with pytest.raises(IntegrityError, match=name):
        session.commit()


@pytest.mark.parametrize(
    "again",
    [
        lambda rows: UsageTracking(user=rows["users"], month_year="2024-02"),
        lambda rows: ConversationSummary(conversation_id=rows["conversations"].id, title="two", summary="two"),
        lambda rows: Section(document=rows["documents"], position=1, heading="again"),
        lambda rows: UserSession(user=rows["users"], token_hash="0" * 64, expires_at=TOMORROW),
    ],
    ids=["one usage row a month", "one summary a conversation", "one section a position", "one session a token"],
)
def test_what_is_unique_is_refused_twice(session: Session, again: Callable[[dict[str, Any]], Base]) -> None:
    rows = family(session)
    session.add(again(rows))
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        session.commit()


# GUID


@pytest.mark.parametrize("spelling", [IDENTIFIER, SPELLED, SPELLED.upper(), IDENTIFIER.hex, f"{{{SPELLED}}}"])
def test_a_guid_takes_a_uuid_or_its_text_and_gives_a_uuid(session: Session, spelling: uuid.UUID | str) -> None:
    session.execute(insert(User).values(id=spelling, email="a@example.org"))
    assert session.scalar(select(User.id)) == IDENTIFIER
    assert session.scalar(select(User.id).where(User.id == spelling)) == IDENTIFIER
    assert session.scalar(select(User.id).where(User.id.in_([spelling]))) == IDENTIFIER
    assert str(stored(session, User.__table__.c.id)) == SPELLED


def test_a_guid_in_text_is_the_same_row_to_the_session(session: Session) -> None:
    users = [User(id=str(uuid.uuid4()).upper(), email=f"{n}@example.org") for n in range(3)]
    session.add_all(users)
    session.flush()
    assert all(type(user.id) is uuid.UUID for user in users)
    assert set(session.scalars(select(User))) == set(users)
    assert session.get(User, users[0].id) is users[0]


@pytest.mark.parametrize(
    ("garbage", "complaint"),
    [
        ("garbage", r"ValueError.*this str is not one: 'garbage'"),
        ("", "ValueError.*str"),
        (SPELLED[:-1], "ValueError.*str"),
        (42, "TypeError.*not int"),
        (True, "TypeError.*not bool"),
        (IDENTIFIER.bytes, "TypeError.*not bytes"),
        ([SPELLED], "TypeError.*not list"),
    ],
)
def test_a_guid_refuses_anything_else_and_names_its_type(session: Session, garbage: Any, complaint: str) -> None:
    with pytest.raises(StatementError, match=complaint):
        session.scalar(select(User).where(User.id == bindparam("id", garbage, User.id.type)))
    session.add(Dataset(user_id=garbage, name="sales"))
    with pytest.raises(StatementError, match=complaint):
        session.flush()


def test_a_guid_may_be_absent(session: Session) -> None:
    dataset = family(session)["datasets"]
    assert dataset.connection_id is None
    dataset.connection_id = SPELLED
    session.commit()
    session.refresh(dataset)
    assert dataset.connection_id == IDENTIFIER


# JSON documents

AWKWARD: dict[str, Any] = {
    "text": "“Zoë” said: 'it''s \\ 100 % \n 日本語 🐘'",
    "deep": {"a": [{"b": {"c": [None, True, 0, -1.5, 2.5e-7, ""]}}]},
    "null": None,
    "empty": [{}, []],
    "big": 2**53,
}


@pytest.mark.parametrize("document", [AWKWARD, {}, [], [1, [2, None]], "text", 0, False])
def test_a_document_comes_back_as_it_was(session: Session, document: Any) -> None:
    conversation = Conversation(session_id="visitor", extra=document)
    session.add(conversation)
    session.commit()
    session.refresh(conversation)
    assert conversation.extra == document
    assert type(conversation.extra) is type(document)


@pytest.mark.parametrize("absent", [{}, {"extra": None}, {"extra": JSON.NULL}], ids=["left out", "None", "JSON.NULL"])
def test_an_absent_document_is_sql_null(session: Session, absent: dict[str, Any]) -> None:
    conversation = Conversation(session_id="visitor", **absent)
    session.add(conversation)
    session.commit()
    assert stored(session, Conversation.__table__.c.metadata) is None
    assert session.scalars(select(Conversation).where(Conversation.extra.is_(None))).one() is conversation


def test_a_document_taken_away_leaves_sql_null(session: Session) -> None:
    conversation = Conversation(session_id="visitor", extra={"a": 1})
    session.add(conversation)
    session.commit()
    conversation.extra = None
    session.commit()
    assert stored(session, Conversation.__table__.c.metadata) is None


def test_null_inside_a_document_is_json_null(session: Session) -> None:
    session.add(Conversation(session_id="visitor", extra={"a": None}))
    session.commit()
    assert session.scalar(select(Conversation.extra)) == {"a": None}
    held = stored(session, Conversation.__table__.c.metadata)
    assert (json.loads(held) if isinstance(held, str) else held) == {"a": None}


def test_paths_reach_into_a_document(session: Session) -> None:
    extra = {"source": {"name": "Zoë", "rank": 3, "share": 0.5, "ok": True}, "tags": ["a", "b"]}
    session.add_all([Conversation(session_id="one", extra=extra), Conversation(session_id="two", extra={"tags": []})])
    session.add(Conversation(session_id="three"))
    session.commit()
    column = Conversation.extra

    def found(criterion: Any) -> list[str | None]:
        return list(session.scalars(select(Conversation.session_id).where(criterion)))

    assert found(column["source"]["name"].as_string() == "Zoë") == ["one"]
    assert found(column["source"]["rank"].as_integer() > 2) == ["one"]
    assert found(column["source"]["share"].as_float() < 1) == ["one"]
    assert found(column["source"]["ok"].as_boolean()) == ["one"]
    assert found(column[("source", "name")].as_string() == "Zoë") == ["one"]
    assert found(column["tags"][1].as_string() == "b") == ["one"]
    assert found(column["source"]["name"].as_string() == "zoë") == []
    assert session.scalar(select(column["source"]).where(Conversation.session_id == "one")) == extra["source"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_has_not_is_refused(session: Session, number: float) -> None:
    session.add(Conversation(session_id="visitor", extra={"a": number}))
    with pytest.raises(StatementError, match="JSON compliant"):
        session.flush()


# Moments in time

ZONED = datetime(2024, 2, 29, 23, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-5, minutes=-30)))


@pytest.mark.parametrize(
    "moment",
    [
        ZONED,
        ZONED.astimezone(UTC),
        datetime(2024, 3, 1, 5, 0, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_a_moment_comes_back_as_the_same_one_in_utc(session: Session, moment: datetime) -> None:
    conversation = Conversation(session_id="visitor", last_activity_at=moment)
    session.add(conversation)
    session.commit()
    session.refresh(conversation)
    assert conversation.last_activity_at == moment
    assert conversation.last_activity_at is not None
    assert conversation.last_activity_at.tzinfo is UTC
    assert session.scalar(select(Conversation.id).where(Conversation.last_activity_at == moment)) == conversation.id


def test_a_moment_is_utc_whatever_the_zone_of_the_connection(session: Session, engine: Engine) -> None:
    if engine.dialect.name == "postgresql":
        session.execute(text("SET TIME ZONE 'Asia/Kathmandu'"))
    conversation = Conversation(session_id="visitor", last_activity_at=ZONED)
    session.add(conversation)
    session.flush()
    session.refresh(conversation)
    assert conversation.last_activity_at == ZONED
    assert conversation.last_activity_at is not None
    assert conversation.last_activity_at.tzinfo is UTC
    assert abs(datetime.now(UTC) - conversation.created_at) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("refused", "complaint"),
    [
        (datetime(2024, 2, 29, 12, 0), "ValueError.*naive datetime"),
        (date(2024, 2, 29), "TypeError.*not date"),
        ("2024-02-29 12:00:00+00:00", "TypeError.*not str"),
        (0, "TypeError.*not int"),
    ],
)
def test_a_moment_without_its_zone_is_refused(session: Session, refused: Any, complaint: str) -> None:
    session.add(Conversation(session_id="visitor", last_activity_at=refused))
    with pytest.raises(StatementError, match=complaint):
        session.flush()


def test_a_moment_of_the_servers_sorts_among_those_of_the_application(session: Session) -> None:
    conversation = Conversation(session_id="visitor")
    session.add(conversation)
    session.flush()
    session.execute(update(Conversation).values(last_activity_at=literal_column("CURRENT_TIMESTAMP")))
    session.refresh(conversation)
    moment = conversation.last_activity_at
    assert moment is not None
    for criterion, expected in [
        (Conversation.last_activity_at == moment, 1),
        (Conversation.last_activity_at >= moment, 1),
        (Conversation.last_activity_at < moment + timedelta(microseconds=1), 1),
        (Conversation.last_activity_at > moment, 0),
        (Conversation.last_activity_at < moment, 0),
    ]:
        assert session.scalar(select(func.count()).select_from(Conversation).where(criterion)) == expected


@pytest.mark.parametrize("document", [{"text": "it's 100 % \\ “done” 🐘"}, None])
def test_every_type_can_be_written_into_the_sql_itself_as_offline_revisions_do(session: Session, document: Any) -> None:
    row = {"id": SPELLED, "session_id": "visitor", "extra": document, "last_activity_at": ZONED}
    statement = insert(Conversation).values(row)
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    sql = str(statement.compile(engine, compile_kwargs={"literal_binds": True}))
    session.connection().exec_driver_sql(sql, () if "%%" in sql else None)
    conversation = session.scalars(select(Conversation)).one()
    assert (conversation.id, conversation.extra) == (IDENTIFIER, document)
    assert conversation.last_activity_at == ZONED


def test_the_types_write_themselves_as_a_revision_needs_them() -> None:
    assert [repr(type_()) for type_ in (GUID, JSONDocument, UTCDateTime)] == [
        "GUID()",
        "JSONDocument()",
        "UTCDateTime()",
    ]
