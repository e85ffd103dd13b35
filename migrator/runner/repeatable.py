"""What one statement's text tells: whether it only reads, and whether executing it a second time does no harm.

Where the text does not tell, the answer is the careful one: it may have changed rows, and repeating it may do harm.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

BEGUN = "begun: "
"""In front of a statement of which only the beginning was seen."""
UNDONE = "undone: "
"""In front of a statement that was executed and left nothing: it failed, or was rolled back, or what it created was dropped again."""
UNSEEN = f"{BEGUN}(on the driver's own connection, which is not seen here)"
"""In the place of what a block may have changed there."""
_HARMLESS = (
    "PRAGMA",
    "SHOW",
    "SET",
    "RESET",
    "BEGIN",
    "START",
    "SAVEPOINT",
    "RELEASE",
    "ROLLBACK",
    "COMMIT",
    "END",
    "ABORT",
)
_QUERIES = ("SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN")
_DDL = ("CREATE", "ALTER", "DROP", "COMMENT", "REINDEX", "VACUUM", "ANALYZE", "GRANT", "REVOKE")
_DONE_ALREADY = {  # what PostgreSQL and SQLite say to a statement that had its effect before
    "CREATE": re.compile(r"already exists"),
    "ALTER": re.compile(r"already exists|duplicate column"),
    "ALTER that removes": re.compile(
        r"already exists|duplicate column|no such column|(?:column|constraint) \".+\" (?:of relation \".+\" )?does not exist"
    ),
    "DROP": re.compile(r"does not exist|no such"),
}
_REMOVES = re.compile(r"^ALTER\b.*\b(?:DROP|RENAME)\b", re.IGNORECASE)
_TEXTS_AND_COMMENTS = re.compile(
    r"\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.DOTALL
)
_QUOTED_NAMES = re.compile(r'"(?:[^"]|"")*"')
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO|ANALYZE|ANALYSE)\b", re.IGNORECASE)
_CALL = re.compile(r'(?:"((?:[^"]|"")+)"|([^\W\d][\w$]*))\s*\(')
_TRIGGER = re.compile(r"CREATE\s+(?:TEMP\w*\s+)?TRIGGER\b.*\bBEGIN\b.*\bEND\s*;?\s*$", re.IGNORECASE | re.DOTALL)
_ENDS_WELL = re.compile(r"(?:COMMIT|END)\b", re.IGNORECASE)
_ENDS_BADLY = re.compile(r"(?:ROLLBACK|ABORT)\b(?!(?:\s+(?:WORK|TRANSACTION))?\s+TO\b)", re.IGNORECASE)
# These last longer than the session; the other PRAGMAs do not, and of `journal_mode` only WAL does.
_KEPT_PRAGMA = re.compile(
    r"PRAGMA\s+(?:\w+\s*\.\s*)?(?:(?:user_version|application_id|schema_version|auto_vacuum|encoding|page_size)\s*[=(]"
    r"|journal_mode\s*[=(]\s*'?(?!OFF\b|MEMORY\b)\w)",
    re.IGNORECASE,
)
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_CREATES_TABLE = re.compile(
    rf"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:{_NAME}\s*\.\s*)?({_NAME})\s*\(", re.IGNORECASE
)
_DROPS_TABLE = re.compile(rf"DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:{_NAME}\s*\.\s*)?({_NAME})\s*;?\s*$", re.IGNORECASE)
_INSERTS = re.compile(rf"INSERT\s+INTO\s+(?:{_NAME}\s*\.\s*)?({_NAME})", re.IGNORECASE)
_TEMPORARY = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:(?:LOCAL\s+|GLOBAL\s+)?TEMP(?:ORARY)?\s+(TABLE|VIEW|SEQUENCE)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?:{_NAME}\s*\.\s*)?({_NAME})|TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:pg_temp|temp)\s*\.\s*({_NAME}))",
    re.IGNORECASE,
)
# Twice is not the same as once: values are converted again, names are taken up again, or a second one gets a name of its own.
_ONCE = re.compile(
    r"^ALTER\b.*\bUSING\b(?!\s+INDEX\b)|\bRENAME\b(?!\s+(?:COLUMN|CONSTRAINT)\b)|\bnextval\s*\(|\bADD\s+(?:CHECK|UNIQUE|FOREIGN|PRIMARY|EXCLUDE)\b"
    r"|^CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?ON\b",
    re.IGNORECASE,
)


def normal(statement: str) -> str:
    """Return the text without comments and in one line, as it is kept and compared."""
    return " ".join(_TEXTS_AND_COMMENTS.sub(lambda found: " " if found[0][0] in "-/" else found[0], statement).split())


def is_several(statement: str) -> bool:
    """Return whether the text consists of several statements, as far as it tells; a trigger of SQLite's is one."""
    text = _without_texts(statement)
    return ";" in _QUOTED_NAMES.sub("", text).rstrip("; \n\t") and not _TRIGGER.match(text)


def is_query(statement: str) -> bool:
    """Return whether the text is a query that changes nothing itself; what it calls may."""
    text = _without_texts(statement)
    return (
        text.upper().startswith(_QUERIES)
        and not _WRITES.search(_QUOTED_NAMES.sub("", text))
        and not is_several(statement)
    )


def is_harmless(statement: str) -> bool:
    """Return whether the statement changes neither rows nor definitions, nor what else lasts longer than the session."""
    text = _without_texts(statement)
    words = text.upper().split()
    if not words or words[0].rstrip(";") not in _HARMLESS or is_several(statement):
        return False
    return words[1:2] != ["PREPARED"] and not _KEPT_PRAGMA.match(text)


def ends_well(statement: str) -> bool:
    """Return whether the statement is to commit the open transaction."""
    return bool(_ENDS_WELL.match(_without_texts(statement)))


def ends_badly(statement: str) -> bool:
    """Return whether the statement, or one of several, rolls the open transaction back."""
    return bool(
        _ENDS_BADLY.search(_without_texts(statement))
        if is_several(statement)
        else _ENDS_BADLY.match(_without_texts(statement))
    )


class Temporary(NamedTuple):
    """What lasts as long as the session: what it is, and its name as it is written, without a schema."""

    kind: str
    name: str


def temporary(statement: str) -> Temporary | None:
    """Return the temporary table, view or sequence that the statement creates; None if it does something else."""
    found = _TEMPORARY.match(_without_texts(statement))
    if found is None or is_several(statement):
        return None
    return Temporary((found[1] or "TABLE").upper(), found[2] or found[3])


def dropped_table(statement: str) -> str | None:
    """Return the one table that the statement drops, as it is written, without a schema; None if it does something else."""
    found = _DROPS_TABLE.match(_without_texts(statement))
    return found[1] if found else None


def undo(statements: Sequence[str]) -> list[str]:
    """Return the same statements, each marked as one that left nothing."""
    return [text if text.startswith(UNDONE) else UNDONE + text.removeprefix(BEGUN) for text in statements]


def left_by(statements: Sequence[str]) -> list[str]:
    """Return the statements of which something is there, or may be."""
    return [text for text in statements if not text.startswith(UNDONE)]


def cancelled(statements: Sequence[str], *, writes: Callable[[str], bool]) -> list[str]:
    """Return the same, where the last one may drop a table that others have created and filled: together they left nothing.

    Alembic's batch mode does that on SQLite when the copy of the rows fails. `writes` says whether a statement calls what may change more.
    """
    name = dropped_table(statements[-1]) if statements else None
    for at in range(len(statements) - 2, -1, -1):
        if name is None or statements[at].startswith(UNDONE):
            continue
        if (made := _CREATES_TABLE.match(statements[at])) and made[1].strip('"') == name.strip('"'):
            return [*statements[:at], *undo(statements[at:])]
        filled = _INSERTS.match(statements[at])
        if filled is None or filled[1].strip('"') != name.strip('"') or writes(statements[at]):
            break
    return list(statements)


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
    statements = left_by(statements)
    if any(text.startswith(BEGUN) for text in statements[:-1]):
        return False
    last = statements[-1] if statements else ""
    if last.startswith(BEGUN) and _ONCE.search(_without_texts(last.removeprefix(BEGUN))):
        return False
    return all(_is_ddl(text.removeprefix(BEGUN)) for text in statements)


def says_it_was_done(statement: str, raised: DBAPIError) -> bool:
    """Return whether the database refused a statement because it had its effect before."""
    kind = statement.partition(" ")[0].upper()
    words = _DONE_ALREADY.get("ALTER that removes" if _REMOVES.match(_without_texts(statement)) else kind)
    return words is not None and bool(words.search(str(raised.orig)))


def _is_ddl(statement: str) -> bool:
    text = _without_texts(statement)
    return (text.upper().startswith(_DDL) or bool(_KEPT_PRAGMA.match(text))) and not is_several(statement)


def _without_texts(statement: str) -> str:
    return _TEXTS_AND_COMMENTS.sub(lambda found: " " if found[0][0] in "-/" else "''", statement).strip()
