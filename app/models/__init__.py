"""Every model, in one import: `Base.metadata` is complete once this package is imported."""

from app.models.analyses import Analysis
from app.models.base import Base
from app.models.conversations import Conversation
from app.models.datasets import Dataset
from app.models.documents import Document, Section
from app.models.memories import Memory
from app.models.messages import ChatMessage
from app.models.reports import Report
from app.models.sessions import UserSession
from app.models.summaries import ConversationSummary
from app.models.usage import UsageTracking
from app.models.users import User

__all__ = [
    "Analysis",
    "Base",
    "ChatMessage",
    "Conversation",
    "ConversationSummary",
    "Dataset",
    "Document",
    "Memory",
    "Report",
    "Section",
    "UsageTracking",
    "User",
    "UserSession",
]
