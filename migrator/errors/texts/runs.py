"""What is wrong with the database or the connection, and how a whole run can end."""

from migrator.errors.message import Message
from migrator.errors.tree import DatabaseError, HistoryError, LockError, NotAtHead

_DIRECT_URL = "  export MIGRATION_DATABASE_URL=postgresql://user:password@host:5432/name\n  {cli} upgrade"

TEXTS: dict[str, Message] = {
    "database-missing": Message(
        DatabaseError,
        "There is no database at {path}.",
        "Correct the path (the URL is from {source}), or create the database:\n  {cli} upgrade",
        "{changed} A command that reads does not create one.",
    ),
    "database-unreachable": Message(
        DatabaseError,
        "The database {url} cannot be used: {reason}",
        "{advice} (The URL is from {source}.) Then:\n  {cli} current",
    ),
    "comparison-failed": Message(
        DatabaseError,
        "The comparison of {compared} failed in the database: {reason}",
        "Correct what the models say there, or leave it out of the comparison (include_object in env.py). Then compare again:\n"
        "  {cli} check",
    ),
    "url-not-used": Message(
        DatabaseError,
        "env.py has connected to {found}, and the command names {asked}.",
        "Let env.py take its URL from `sqlalchemy.url`, where the command's URL is handed over, or leave it out of the command:\n"
        "  {cli} current",
    ),
    "connection-in-transaction": Message(
        DatabaseError,
        "The connection handed to run() is already in a transaction.",
        "Something ran on it before, often a SELECT. End that first, with connection.commit(), or hand over a new connection:\n"
        "  {cli} upgrade",
        "{changed} Alembic would never commit it: exit 0 and nothing saved.",
    ),
    "connection-unknown": Message(
        DatabaseError,
        'config.attributes["connection"] is a {type}; expected a SQLAlchemy Engine or Connection.',
        "From an async program call through `connection.run_sync()` (an `async_engine.sync_engine` works only in there), or use the URL:\n"
        "  {cli} upgrade",
    ),
    "connection-single": Message(
        DatabaseError,
        "The engine handed to run() gives the same database session again and again.",
        "A run needs a second one, to see what was really committed. Hand over an engine made from a URL, or whose creator connects each "
        "time that it is called:\n  {cli} upgrade",
    ),
    "connection-autocommit": Message(
        DatabaseError,
        "The connection handed to run() is in AUTOCOMMIT.",
        "Hand over one without isolation_level='AUTOCOMMIT', then:\n  {cli} upgrade",
        "{changed} In AUTOCOMMIT no step could be undone.",
    ),
    "lock-timeout": Message(
        LockError,
        "Another run held the migration lock for all of the {seconds} s that this one waited: {holder}.",
        "Check whether it is still running; wait for it or end it, then run again. --lock-wait SECONDS waits longer:\n  {cli} current",
    ),
    "lock-lost": Message(
        LockError,
        "This run no longer holds the migration lock: the database session was replaced, as a pooler does.",
        "Use a direct URL, and run it again:\n" + _DIRECT_URL,
    ),
    "lock-released": Message(
        LockError,
        "This run no longer holds the migration lock: a revision released it, with DISCARD ALL, pg_advisory_unlock_all() or the like.",
        "Take that out of the revision that ran last (what a revision sets for itself, it sets with SET LOCAL), then run it again:\n"
        "  {cli} log --limit 1\n  {cli} upgrade",
        "{changed} Another run may have worked at the same time since.",
    ),
    "lock-behind-pooler": Message(
        LockError,
        "The database is reached through a transaction pooler, which changes the server process between two transactions.",
        "Leave DATABASE_URL as it is for the application, and give migrations the server's own address:\n"
        + _DIRECT_URL,
        "{changed} A lock held by a session cannot hold there. Commands that only read work.",
    ),
    "lock-file-foreign": Message(
        DatabaseError,
        "The lock file {file} is not the engine's own: {reason}.",
        "Look at it, move it away, and run it again:\n  ls -li {file}\n  {cli} upgrade",
        "{changed} Taking the lock would write into it.",
    ),
    "database-locked": Message(
        LockError,
        "The database {file} was locked for all of the {seconds} s that this run waited, by: {blockers!c}.",
        "End that program's transaction, or wait longer (in seconds), and run it again:\n  MIGRATOR_LOCK_WAIT=600 {cli} upgrade",
    ),
    "journal-off": Message(
        DatabaseError,
        "The database {file} has journal_mode OFF: a step that fails could not be rolled back.",
        "Take that PRAGMA out of env.py, or out of the revision that sets it, and switch the journal on again:\n"
        "  sqlite3 {file} 'PRAGMA journal_mode = DELETE'\n  {cli} upgrade",
    ),
    "table-lost": Message(
        DatabaseError,
        "There is a table {leftover} and no table {table}: a rebuild failed between the two. {leftover} holds the {rows} rows.",
        "It is the only copy. Look at it first, then give it its name back (indexes and triggers are gone) and run again:\n"
        '  sqlite3 {file} \'ALTER TABLE "{leftover}" RENAME TO "{table}"\'\n  {cli} upgrade',
    ),
    "target-not-reached": Message(
        DatabaseError,
        "The run ended, but the database is at {at!h} and not at {wanted!h}.",
        "Another program has changed the version table, or a revision has. Check:\n  {cli} current",
        "This was read again on a second connection. Committed in this run: {applied!c}.",
    ),
    "not-at-head": Message(
        NotAtHead,
        "The database is at {at!h}, and this program needs {wanted!h}.",
        "Run the migrations before the program starts:\n  {cli} upgrade {target}",
        "{changed} A check at the start never migrates.",
    ),
    "databases-several": Message(
        DatabaseError,
        "The env.py hands over several databases, and one command answers for one: {first} and then {second}.",
        "Let env.py choose one, by an environment variable for instance, and type the command once for each:\n"
        "  DATABASE=first {cli} status\nThe program `alembic` runs them one after the other:\n  alembic upgrade head",
        "{first}: {consequence} {second}: Nothing was changed.",
    ),
    "env-without-migrator": Message(
        HistoryError,
        "The env.py in {path} does not call migrator.run.",
        "Replace its configure() and run_migrations() with `migrator.run(connection, target_metadata=…)`, then:\n  {cli} current",
        "Whatever Alembic did, it did without the engine's guarantees.",
    ),
}
