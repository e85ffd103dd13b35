"""What one statement's text tells: whether it only reads, and whether executing it a second time does no harm.

Where the text does not tell, the answer is the careful one: it may have changed rows, and repeating it may do harm.
"""

import re
from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

BEGUN = "begun: "
"""In front of a statement of which only the beginning was seen."""
_HARMLESS = ("PRAGMA", "SHOW", "SET", "RESET", "BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK")
_QUERIES = ("SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN")
_DDL = ("CREATE", "ALTER", "DROP", "COMMENT", "REINDEX", "VACUUM", "ANALYZE", "GRANT", "REVOKE")
_DONE_ALREADY = {  # what PostgreSQL and SQLite say to a statement that had its effect before
    "CREATE": ("already exists",),
    "ALTER": ("already exists", "duplicate column"),
    "DROP": ("does not exist", "no such"),
}
_TEXTS_AND_COMMENTS = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.DOTALL)
_QUOTED_NAMES = re.compile(r'"(?:[^"]|"")*"')
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO|ANALYZE|ANALYSE)\b", re.IGNORECASE)
_CALL = re.compile(r'(?:"((?:[^"]|"")+)"|([^\W\d][\w$]*))\s*\(')
_TRIGGER = re.compile(r"CREATE\s+(?:TEMP\w*\s+)?TRIGGER\b.*\bBEGIN\b.*\bEND\s*;?\s*$", re.IGNORECASE | re.DOTALL)
# Twice is not the same as once: values are converted again, names are taken up again, or a second one gets a name of its own.
_ONCE = re.compile(
    r"^ALTER\b.*\bUSING\b(?!\s+INDEX\b)|\bRENAME\b|\bnextval\s*\(|\bADD\s+(?:CHECK|UNIQUE|FOREIGN|PRIMARY|EXCLUDE)\b"
    r"|^CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?ON\b",
    re.IGNORECASE,
)


def normal(statement: str) -> str:
    """Return the text without comments and in one line, as it is kept and compared."""
    return " ".join(_TEXTS_AND_COMMENTS.sub(lambda found: " " if found[0][0] in "-/" else found[0], statement).split())


def is_query(statement: str) -> bool:
    """Return whether the text is a query that changes nothing itself; what it calls may."""
    text = _without_texts(statement)
    return text.upper().startswith(_QUERIES) and not _WRITES.search(_QUOTED_NAMES.sub("", text))


def is_harmless(statement: str) -> bool:
    """Return whether the statement changes neither rows nor definitions."""
    words = _without_texts(statement).split(None, 1)
    return bool(words) and words[0].upper().rstrip(";") in _HARMLESS


def called(statement: str) -> set[str]:
    """Return the names that the text calls as functions, and words of SQL that look alike."""
    calls = _CALL.findall(_without_texts(statement))
    return {quoted.replace('""', '"') if quoted else plain.lower() for quoted, plain in calls}


def may_change(statement: str) -> bool:
    """Return whether the statement, or what it calls, may change something, as far as its text tells."""
    return not is_harmless(statement) and (bool(called(statement)) or not is_query(statement))


def is_repeatable(statements: Sequence[str]) -> bool:
    """Return whether a step that committed just these can be resumed after them: DDL does not depend on the rows it met.

    The last one may have been begun only, and is then executed again.
    """
    if any(text.startswith(BEGUN) for text in statements[:-1]):
        return False
    last = statements[-1] if statements else ""
    if last.startswith(BEGUN) and _ONCE.search(_without_texts(last.removeprefix(BEGUN))):
        return False
    return all(_is_ddl(text.removeprefix(BEGUN)) for text in statements)


def says_it_was_done(statement: str, raised: DBAPIError) -> bool:
    """Return whether the database refused a statement because it had its effect before."""
    words = _DONE_ALREADY.get(statement.partition(" ")[0].upper(), ())
    return any(word in str(raised.orig) for word in words)


def _is_ddl(statement: str) -> bool:
    text = _without_texts(statement)
    several = ";" in text.rstrip("; \n\t")
    return text.upper().startswith(_DDL) and (not several or bool(_TRIGGER.match(text)))


def _without_texts(statement: str) -> str:
    return _TEXTS_AND_COMMENTS.sub(lambda found: " " if found[0][0] in "-/" else "''", statement).strip()
