"""One text, and the sentences that many of them share."""

from typing import NamedTuple


class Message(NamedTuple):
    """The fact, the consequence (what was and was not changed) and the remedy, which ends in a command that can be pasted."""

    fact: str
    consequence: str
    remedy: str


UNTOUCHED = "Nothing was changed."
ROLLED_BACK = (
    "What it did was rolled back; the database is at {at}. Applied before it in this run, and kept: {applied}."
)
