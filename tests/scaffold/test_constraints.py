"""What the database refuses: rows that break a check, and rows that are there already."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.models import (
    Analysis,
    Base,
    ChatMessage,
    Conversation,
    ConversationSummary,
    Document,
    Memory,
    Report,
    Section,
    UsageTracking,
    User,
    UserSession,
)
from tests.scaffold.family import TOMORROW, family

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
