"""What is wrong with the revision files, with a revision that was asked for, and with what the database says of the history."""

from migrator.errors.message import Message
from migrator.errors.tree import DatabaseError, HistoryError

TEXTS: dict[str, Message] = {
    "versions-missing": Message(
        HistoryError,
        "There is no folder of revisions at {path}.",
        "Correct script_location in alembic.ini, or create a first revision:\n  mkdir -p {path} && {cli} revision -m 'first'",
    ),
    "revision-does-not-load": Message(
        HistoryError,
        "The revision file {path} does not load: {error} (line {line}).",
        "Fix the file, then check:\n  {cli} history",
    ),
    "revision-duplicate": Message(
        HistoryError,
        "Two files have the revision id {revision}: {files!c}.",
        "Give the newer one an id of its own, in `revision = ` and in its name, then check:\n  {cli} history",
        "{changed} Alembic would ignore one of them.",
    ),
    "revision-too-long": Message(
        HistoryError,
        "The revision id {revision} in {path} has {length} characters; PostgreSQL's version table holds 32.",
        "Shorten `revision = ` there, and `down_revision = ` in the file after it, then check:\n  {cli} history",
    ),
    "parent-missing": Message(
        HistoryError,
        "Revision {revision} ({path}) comes after {parent}, and no file has that id.",
        "Restore the missing file (a merge may have lost it), or correct `down_revision`, then check:\n  {cli} history",
    ),
    "history-cycle": Message(
        HistoryError,
        "The revisions {revisions!c} come after one another in a circle.",
        "Correct `down_revision` in one of {files!c}, then check:\n  {cli} history",
    ),
    "heads-several": Message(
        HistoryError,
        "The history has {count} heads: {files!c}.",
        "If they are meant to stay apart, upgrade to all of them, or to one:\n  {cli} upgrade heads\n  {cli} upgrade {first}\n"
        "Else put one after the other, `down_revision = {first!r}` in {last_path}, or join them:\n"
        "  {cli} merge -m 'join {first} and {last}' {first} {last}\n  {cli} upgrade head",
    ),
    "revision-incomplete": Message(
        HistoryError,
        "Revision {revision} ({path}) has no {missing}().",
        "Write it, or stay on this side of {revision}. Check where the database is:\n  {cli} current",
    ),
    "revision-not-run": Message(
        HistoryError,
        "The {direction}() of revision {revision} ({path}) is {kind}: calling it runs nothing of it, or not all.",
        "Make it a plain function, without `yield`, `async` and `await`, that has done everything when it returns. Then:\n"
        "  {cli} {direction}",
    ),
    "attribute-refused": Message(
        HistoryError,
        "Revision {revision} ({path}) says {name} = {value!r}: {reason}.",
        "Correct it in the file, then check:\n  {cli} history",
    ),
    "revision-unknown": Message(
        HistoryError,
        "There is no revision {asked!r} in the history.",
        "The history has {known!i}. List it:\n  {cli} history",
    ),
    "revision-ambiguous": Message(
        HistoryError,
        "{asked!r} is the beginning of more than one revision: {candidates!c}.",
        "Write more of it. List them:\n  {cli} history",
    ),
    "revision-out-of-reach": Message(
        HistoryError,
        "{asked!r} cannot be reached from {at!h}: {reason}.",
        "Check where the database is and which revisions there are:\n  {cli} history",
    ),
    "revision-id-taken": Message(
        HistoryError,
        "The revision id {revision} is taken, by {path}.",
        "Choose another one, or leave --rev-id out and get the next number:\n  {cli} revision -m 'what it does'",
    ),
    "not-comparable": Message(
        HistoryError,
        "The database is not at the head of the history, so it cannot be compared with the models.",
        "Bring it there first:\n  {cli} upgrade head",
    ),
    "scripts-missing": Message(
        HistoryError,
        "{reason}",
        "Correct script_location in [alembic] in {path}, then check:\n  {cli} history",
    ),
    "range-invalid": Message(
        HistoryError,
        "{asked!r} is not a revision, and not a range a:b of two.",
        "List the revisions:\n  {cli} history",
    ),
    "range-needed": Message(
        HistoryError,
        "A downgrade with --sql needs a range, because no database says where it begins.",
        "Give both ends, the newer one first:\n  {cli} downgrade head:base --sql",
    ),
    "range-without-sql": Message(
        HistoryError,
        "The range {asked!r} only means something together with --sql.",
        "Print the SQL, or name one revision:\n  {cli} {command} {asked} --sql\n  {cli} {command} {end}",
    ),
    "database-unknown-revision": Message(
        HistoryError,
        "The database is at {at!h}, and no revision file has that id.",
        "It was migrated by newer code, or belongs to another project. Check out the code that has {at!h}, or list what is here:\n"
        "  {cli} history",
        "{changed} The log does not know it either.",
    ),
    "database-ahead": Message(
        HistoryError,
        "The database is ahead of the files: it is at {at!h} ({description!l}), applied at {when} by {who!l} from {file!l}; "
        "no file for {gone!c}.",
        "Check out the code that has it. Or revert it: the log keeps the text that ran, shows it and asks:\n  {cli} downgrade",
    ),
    "heads-overlap": Message(
        HistoryError,
        "The version table has both {newer} and {older}, which comes before {newer}.",
        "Another program has written into it. Say which revision the schema is at, for example {newer}:\n  {cli} stamp --purge {newer}",
        "{changed} The engine never writes that.",
    ),
    "stored-text-changed": Message(
        HistoryError,
        "The log's text of revision {revision!l} is not the one that was applied: its checksum is wrong.",
        "Check out the code that has {revision}, then revert it:\n  {cli} downgrade",
        "{changed} The text was not run.",
    ),
    "stored-text-unsigned": Message(
        HistoryError,
        "The log's text of revision {revision!l} does not have the signature that log_key makes of it, and no file has that id.",
        "Check out the code that has {revision!l}, then revert it:\n  {cli} downgrade",
        "{changed} The text was neither shown nor run: whoever may write to the log could have written it.",
    ),
    "stored-text-unusable": Message(
        HistoryError,
        "The log's text of revision {revision!l}, whose file is gone, cannot be used: {reason!l}.",
        "Check out the code that has {revision!l}, with the packages that it needs, then revert it:\n  {cli} downgrade",
        "{changed} No revision was reverted.",
    ),
    "log-table-foreign": Message(
        DatabaseError,
        "The table {table} is not the engine's log: it has no column {missing!c}.",
        "If it is another program's, give the log another name, here or as log_table under [migrator] in alembic.ini:\n"
        "  MIGRATOR_LOG_TABLE=migrator_log {cli} upgrade",
    ),
    "log-unreadable": Message(
        DatabaseError,
        "The row with id {id} in {table} has {value!r} in the column {column}, which the engine never writes.",
        "Another program wrote it. Look at the row and correct it, for example with the value of another row:\n"
        "  SELECT * FROM {table} WHERE id = {id};\n  UPDATE {table} SET {column} = … WHERE id = {id};",
    ),
    "log-entry-unclaimed": Message(
        DatabaseError,
        "An older release interrupted the {direction} of {revision!l} at {when} ({who!l}), and the log does not say in which of the "
        "histories in this schema.",
        "Finish it in the project that it belongs to, whose file has the text that ran. If nothing is left to finish, remove the entry:\n"
        "  DELETE FROM {log} WHERE id = {id};",
        "{changed} Known to be there from before:{committed!b}",
    ),
    "version-table-unusable": Message(
        DatabaseError,
        "The version table {table} has {problem!l}.",
        "Another program wrote it. Say which revision the schema is at, for example:\n  {cli} stamp --purge {first!l}",
        "{changed} Alembic never writes that.",
    ),
    "revision-inserted": Message(
        HistoryError,
        "Revision {revision} ({path}) was inserted before {before}, which was applied at {when} without it.",
        "Put it after the newest revision: `down_revision = {head!r}` in {path}, and {before} after what it came after. Then:\n"
        "  {cli} upgrade",
        "{changed} Alembic would take {revision} for applied and never run it.",
    ),
    "alembic": Message(
        HistoryError,
        "{text}",
        "See what its commands take:\n  {cli} --help",
        "{changed} This is Alembic's own answer.",
    ),
}
