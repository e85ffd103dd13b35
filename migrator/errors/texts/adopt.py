"""What can be said of a database that comes from elsewhere; and Alembic's own answers."""

from migrator.errors.texts.message import UNTOUCHED, Message

TEXTS: dict[str, Message] = {
    "stamp-refused": Message(
        "The database does not have the schema of revision {revision}: {found}.",
        "Nothing was stamped. What separates it from {revision}:{differences}",
        "Stamp the revision that it matches, let adopt find out, or mend it with these operations of Alembic's; "
        "--no-verify stamps without looking:\n{commands}\n  {cli} adopt",
    ),
    "adopt-empty": Message(
        "The database is empty: there is nothing to adopt.",
        UNTOUCHED,
        "Make the tables:\n  {cli} upgrade",
    ),
    "adopt-foreign": Message(
        "The database has none of the tables that the revisions make; it has {tables}.",
        UNTOUCHED,
        "See that the URL is the right one. Where these tables are somebody else's, make ours beside them:\n  {cli} upgrade",
    ),
    "adopt-harmless": Message(
        "The database is at {best}, but for differences that harm nothing.",
        "Nothing was stamped. They are:{differences}",
        "Stamp it all the same:\n  {cli} adopt --accept-harmless",
    ),
    "adopt-no-match": Message(
        "The database has the schema of no revision; the nearest is {best}.",
        "Nothing was stamped. The nearest, with the differences from each:{nearest}\nWhat separates it from {best}:{differences}",
        "Let adopt write the operations that take it there, read them, and run them:\n"
        "  {cli} adopt --fix\n  {cli} adopt --bridge migrations/bridges/to_{best}.py",
    ),
    "downgrade-adopted": Message(
        "This downgrade goes below the revision at which the database was adopted: {first} never ran here.",
        UNTOUCHED + " It would delete what was there before the history:{gone}",
        "Make a copy of the database first. Where that is meant, it asks, or takes the answer from --yes; under `alembic` "
        "`-x drop_adopted` says so:\n  {cli} downgrade",
    ),
    "bridge-unusable": Message(
        "The file {path} is not a bridge that adopt has written.",
        UNTOUCHED,
        "Write one, read it, and name it:\n  {cli} adopt --fix",
    ),
    "baseline-not-first": Message(
        "A baseline begins a history, and there is one: revisions in {path}, or the database is at {at}.",
        UNTOUCHED,
        "For a database of this history's tables, let adopt find where it is. For another one, start with an empty {path}:\n"
        "  {cli} adopt",
    ),
    "baseline-differs": Message(
        "The revision that baseline wrote does not make the schema that is there, and was taken away again.",
        "Nothing was stamped. Replayed into an empty database it differs:{differences}",
        "Report it with the tables' SQL; until then write the revision by hand, and stamp it, which compares the same:\n"
        "  {cli} stamp 001",
    ),
    "baseline-needs-sqlacodegen": Message(
        "baseline writes models through sqlacodegen, which is not installed.",
        UNTOUCHED,
        "Install it, for development only:\n  pip install 'sqlacodegen>=4,<5'",
    ),
    "stamp-unverifiable": Message(
        "The history branches, so that there is no one schema at revision {revision} to compare with.",
        "Nothing was stamped.",
        "Where you are sure, stamp without looking:\n  {cli} stamp {revision} --no-verify",
    ),
    "scratch-refused": Message(
        "The role {role} may create neither a database nor a schema in {database}, to replay the history in.",
        UNTOUCHED,
        "Grant one of them:\n  psql -c 'ALTER ROLE {role} CREATEDB'\n  psql -c 'GRANT CREATE ON DATABASE {database} TO {role}'",
    ),
    "file-unusable": Message(
        "{path} cannot be written or read: {reason}.",
        "The database was not changed.",
        "See who may write there and whether the disk is full, then look:\n  {cli} current",
    ),
    "alembic": Message(
        "{text}",
        "This is Alembic's own answer.",
        "See what its commands take:\n  {cli} --help",
    ),
}
