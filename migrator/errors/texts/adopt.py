"""What can be said of a database that was there before the history."""

from migrator.errors.message import Message
from migrator.errors.tree import DatabaseError, HistoryError, StampRefused

TEXTS: dict[str, Message] = {
    "stamp-refused": Message(
        StampRefused,
        "The database does not have the schema of revision {revision}: {found}.",
        "Stamp the revision that it matches, let adopt find out, or fix it with these Alembic operations; "
        "--no-verify stamps without checking:\n{commands}\n  {cli} adopt",
        "{changed} The differences from {revision}:{differences!b}",
    ),
    "adopt-empty": Message(
        HistoryError,
        "The database is empty: there is nothing to adopt.",
        "Create the tables:\n  {cli} upgrade",
    ),
    "adopt-foreign": Message(
        HistoryError,
        "The database has none of the tables that the revisions create; it has {tables!c}.",
        "Check the URL. If these tables belong to another application, create ours next to them:\n  {cli} upgrade",
    ),
    "adopt-harmless": Message(
        StampRefused,
        "The database matches {best}, apart from harmless differences.",
        "Stamp it anyway:\n  {cli} adopt --accept-harmless",
        "{changed} The differences are:{differences!b}",
    ),
    "adopt-no-match": Message(
        StampRefused,
        "The database has the schema of no revision; the nearest is {best}.",
        "Let adopt write the operations that take it there, read them, and run them:\n"
        "  {cli} adopt --fix\n  {cli} adopt --bridge migrations/bridges/to_{best}.py",
        "{changed} The nearest, with the differences from each:{nearest!b}\nThe differences from {best}:{differences!b}",
    ),
    "bridge-incomplete": Message(
        StampRefused,
        "No operations of Alembic take the database to {revision} without a loss. What they cannot fix:{unfixed!b}",
        "Change the database by hand, or complete the file {path}, which is a beginning, and run it:\n"
        "  {cli} adopt --bridge {path}",
        "{changed} No bridge drops a table, a column or a row. The file would do this:{steps!b}",
    ),
    "bridge-impossible": Message(
        StampRefused,
        "No operation of Alembic brings the database nearer to {revision} without a loss. What differs:{unfixed!b}",
        "Change the database by hand, then see what is left:\n  {cli} adopt",
        "{changed} No file was written.",
    ),
    "downgrade-adopted": Message(
        HistoryError,
        "This downgrade goes below the revision at which the database was adopted: {first} never ran here.",
        "Back up the database first. To go ahead, confirm at the prompt or pass --yes (with `alembic`: -x drop_adopted):\n"
        "  {cli} downgrade",
        "{changed} It would delete what was there before the history:{gone!b}",
    ),
    "bridge-unusable": Message(
        HistoryError,
        "The file {path} is not a bridge that adopt has written.",
        "Write one, read it, and name it:\n  {cli} adopt --fix",
    ),
    "adopt-no-revisions": Message(
        HistoryError,
        "There is no revision in {path} that the database could be at.",
        "Start the history from this database:\n  {cli} baseline",
    ),
    "bridge-broken": Message(
        HistoryError,
        "The bridge {path} cannot be loaded: {reason!l}",
        "Correct it, or write it again:\n  {cli} adopt --fix",
    ),
    "baseline-not-first": Message(
        HistoryError,
        "A baseline begins a history, and there is one: revisions in {path}, or the database is at {at!h}.",
        "For a database with this history's tables, let adopt find where it is. For another one, start with an empty {path}:\n"
        "  {cli} adopt",
    ),
    "baseline-untyped": Message(
        HistoryError,
        "SQLAlchemy has no type for {columns!c}, so that baseline cannot write a model of it.",
        "Write the models and the first revision by hand, with a type of your own for these columns, and stamp it, which compares:\n"
        "  {cli} stamp 001",
    ),
    "baseline-differs": Message(
        HistoryError,
        "The revision that baseline wrote does not create the schema that is there, and was removed again.",
        "Report it with the tables' SQL; until then write the revision by hand, and stamp it, which compares in the same way:\n"
        "  {cli} stamp 001",
        "{changed} Replayed into an empty database it differs:{differences!b}",
    ),
    "stamp-unverifiable": Message(
        StampRefused,
        "The history branches, so there is no single schema at {heads!h} to compare with.",
        "If you are sure, stamp without checking:\n  {cli} stamp {asked} --no-verify",
    ),
    "scratch-behind-pooler": Message(
        DatabaseError,
        "The history cannot be replayed through this pooler: it reaches no new database, and keeps no search_path for a new schema.",
        "Give this command the server's own address, as a role that may create a database or a schema:\n"
        "  export MIGRATION_DATABASE_URL=postgresql://user:password@host:5432/name\n  {cli} adopt --dry-run",
    ),
    "scratch-elsewhere": Message(
        DatabaseError,
        "The history cannot be replayed next to the database: a new connection, made from {url}, is not to its server: {reason}.",
        "Let env.py connect with psycopg2 or psycopg, which tell how they were connected, or put host, user and password in the "
        "engine's URL. Or, if you know where this database is, stamp it without checking:\n  {cli} stamp head --no-verify",
    ),
    "scratch-refused": Message(
        DatabaseError,
        "The role {role} may create neither a database nor a schema in {database}, to replay the history in.",
        "Grant one of them:\n  psql -c 'ALTER ROLE {role} CREATEDB'\n  psql -c 'GRANT CREATE ON DATABASE {database} TO {role}'",
    ),
    "scratch-left": Message(
        DatabaseError,
        "Revision {revision} ({path}) changes what is outside of the scratch schema in which the history is replayed: {outside!c}.",
        "Let the role create a database, in which that is possible:\n  psql -c 'ALTER ROLE {role} CREATEDB'",
    ),
    "replay-failed": Message(
        HistoryError,
        "The history does not run in an empty database: {revision} ({path}) failed: {reason}.",
        "Correct the revision so that it runs in an empty database. Or, if you know where this database is, stamp it without "
        "checking:\n  {cli} stamp head --no-verify",
        "{changed} The history is replayed in an empty database, to know the schema at each revision.",
    ),
    "replay-lacks-table": Message(
        HistoryError,
        "The history does not run in an empty database: {revision} ({path}) needs the table {table}, which the revisions "
        "before it do not create.",
        "If create_all() or a script made it, let a first revision create it. Or, if you know where this database is, stamp it "
        "without checking:\n  {cli} stamp head --no-verify",
        "{changed} The history is replayed in an empty database, to know the schema at each revision.",
    ),
}
