"""What is wrong with the revision files, and with a revision that was asked for."""

from migrator.errors.texts.message import UNTOUCHED, Message

TEXTS: dict[str, Message] = {
    "versions-missing": Message(
        "There is no folder of revisions at {path}.",
        UNTOUCHED,
        "Correct script_location in alembic.ini, or make a first revision:\n  mkdir -p {path} && {cli} revision -m 'first'",
    ),
    "revision-does-not-load": Message(
        "The revision file {path} does not load: {error} (line {line}).",
        UNTOUCHED,
        "Mend the file, then look:\n  {cli} history",
    ),
    "revision-duplicate": Message(
        "Two files have the revision id {revision}: {files}.",
        UNTOUCHED + " Alembic would ignore one of them.",
        "Give the newer one an id of its own, in `revision = ` and in its name, then look:\n  {cli} history",
    ),
    "revision-too-long": Message(
        "The revision id {revision} in {path} has {length} characters; PostgreSQL's version table holds 32.",
        UNTOUCHED,
        "Shorten `revision = ` there, and `down_revision = ` in the file after it, then look:\n  {cli} history",
    ),
    "parent-missing": Message(
        "Revision {revision} ({path}) comes after {parent}, and no file has that id.",
        UNTOUCHED,
        "Bring the missing file back (a merge may have lost it), or correct `down_revision`, then look:\n  {cli} history",
    ),
    "history-cycle": Message(
        "The revisions {revisions} come after one another in a circle.",
        UNTOUCHED,
        "Correct `down_revision` in one of {files}, then look:\n  {cli} history",
    ),
    "heads-several": Message(
        "The history has {count} heads: {files}.",
        UNTOUCHED,
        "Either put one after the other, `down_revision = {first!r}` in {last_path}, or join them:\n"
        "  {cli} merge -m 'join {first} and {last}' {heads}\n  {cli} upgrade head",
    ),
    "revision-incomplete": Message(
        "Revision {revision} ({path}) has no {missing}().",
        UNTOUCHED,
        "Write it; one that cannot be undone says so by raising in downgrade(). Then look where the database is:\n  {cli} current",
    ),
    "revision-unknown": Message(
        "There is no revision {asked!r} in the history.",
        UNTOUCHED,
        "The history has {known}. See it all:\n  {cli} history",
    ),
    "revision-ambiguous": Message(
        "{asked!r} is the beginning of more than one revision: {candidates}.",
        UNTOUCHED,
        "Write more of it. See them all:\n  {cli} history",
    ),
    "revision-out-of-reach": Message(
        "{asked!r} cannot be reached from {at}: {reason}.",
        UNTOUCHED,
        "See where it is and what there is:\n  {cli} history",
    ),
    "revision-id-taken": Message(
        "The revision id {revision} is taken, by {path}.",
        UNTOUCHED,
        "Choose another one, or leave --rev-id out and get the next number:\n  {cli} revision -m 'what it does'",
    ),
    "not-comparable": Message(
        "The database is not at the head of the history, so it cannot be compared with the models.",
        UNTOUCHED,
        "Bring it there first:\n  {cli} upgrade head",
    ),
    "scripts-missing": Message(
        "{reason}",
        UNTOUCHED,
        "Correct script_location in [alembic] in {path}, then look:\n  {cli} history",
    ),
    "range-unclear": Message(
        "{asked!r} is not a revision, and not a range a:b of two.",
        UNTOUCHED,
        "See the revisions:\n  {cli} history",
    ),
    "range-needed": Message(
        "A downgrade with --sql needs a range, because no database is asked where it begins.",
        UNTOUCHED,
        "Say both ends, the newer one first:\n  {cli} downgrade head:base --sql",
    ),
    "range-without-sql": Message(
        "The range {asked!r} only means something together with --sql.",
        UNTOUCHED,
        "Print the SQL, or name one revision:\n  {cli} {command} {asked} --sql\n  {cli} {command} {end}",
    ),
    "database-unknown-revision": Message(
        "The database is at {at}, and no revision file has that id.",
        UNTOUCHED + " The log does not know it either.",
        "It was migrated by newer code, or belongs to another project. Check out the code that has {at}, or see what is here:\n"
        "  {cli} history",
    ),
    "database-ahead": Message(
        "The database is ahead of the files: it is at {at} ({description}), applied at {when} by {who} from {file}; no file for {gone}.",
        UNTOUCHED,
        "Check out the code that has it. Or take it back: the log keeps what was run, shows it and asks:\n  {cli} downgrade",
    ),
    "heads-overlap": Message(
        "The version table has {newer}, and beside it {older}, which comes before {newer}.",
        UNTOUCHED + " The engine never writes that.",
        "Somebody else has written into it. Say which one the schema is at, {newer} for one:\n  {cli} stamp --purge {newer}",
    ),
    "stored-text-changed": Message(
        "The log's text of revision {revision} is not the one that was applied: its checksum is wrong.",
        UNTOUCHED + " The text was not run.",
        "Check out the code that has {revision}, then take it back:\n  {cli} downgrade",
    ),
    "revision-inserted": Message(
        "Revision {revision} ({path}) was put before {before}, which was applied at {when} without it.",
        UNTOUCHED + " Alembic would take {revision} for applied and never run it.",
        "Put it after the newest revision: `down_revision = {head!r}` in {path}, and {before} after what it came after. Then:\n"
        "  {cli} upgrade",
    ),
}
