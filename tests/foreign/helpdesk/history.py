"""The history as a whole: a trunk that forks twice, once into three, and a labelled branch of its own that depends on the trunk."""

from dataclasses import replace

from tests.foreign.helpdesk.branches import AGENTS, REPLIES, SETTINGS
from tests.foreign.helpdesk.later import LATER, SEARCH
from tests.foreign.helpdesk.revisions import Revision, merge
from tests.foreign.helpdesk.trunk import BILLING, EARLY, FOUNDATION, POLICIES

HISTORY: tuple[Revision, ...] = (
    *FOUNDATION,
    *EARLY,
    *BILLING,
    *POLICIES,
    *merge("merge billing and policies", "find invoices by their amount", "open tickets by when they are due"),
    *REPLIES,
    *AGENTS,
    *SETTINGS,
    *merge("merge replies, agents and settings", "attachments", "agents are in a state", "settings have no default"),
    *LATER,
    replace(SEARCH[0], label="search", depends_on="what a robot wrote"),
    *SEARCH[1:],
)
