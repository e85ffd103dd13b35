"""What is wrong with the database, and what can happen in a run."""

from migrator.errors.texts.message import ROLLED_BACK, UNTOUCHED, Message

TEXTS: dict[str, Message] = {
    "database-missing": Message(
        "There is no database at {path}.",
        UNTOUCHED + " A command that reads does not create one.",
        "Correct the path (the URL is from {source}), or create the database:\n  {cli} upgrade",
    ),
    "database-unreachable": Message(
        "The database {url} cannot be used: {reason}",
        UNTOUCHED,
        "{advice} (The URL is from {source}.) Then:\n  {cli} current",
    ),
    "connection-in-transaction": Message(
        "The connection handed to run() is already in a transaction.",
        UNTOUCHED + " Alembic would never commit it: exit 0 and nothing saved.",
        "Something ran on it before, often a SELECT. End that first, with connection.commit() or on a connection of its own:\n"
        "  {cli} upgrade",
    ),
    "connection-unknown": Message(
        'config.attributes["connection"] is a {type}, and neither an Engine nor a Connection of SQLAlchemy\'s.',
        UNTOUCHED,
        "From an async program call through `connection.run_sync()` (an `async_engine.sync_engine` works only in there), or use the URL:\n"
        "  {cli} upgrade",
    ),
    "connection-autocommit": Message(
        "The connection handed to run() is in AUTOCOMMIT.",
        UNTOUCHED + " No step could be undone.",
        "Hand over one without isolation_level='AUTOCOMMIT', then:\n  {cli} upgrade",
    ),
    "step-failed": Message(
        "Revision {revision} ({path}) failed on its {direction}: {error}",
        ROLLED_BACK,
        "Mend the file, then run it again:\n  {cli} {direction}",
    ),
    "step-failed-partly": Message(
        "Revision {revision} ({path}) failed on its {direction}: {error}",
        "It has an autocommit_block(), so this was already committed and stays (after 'begun:', perhaps a part):{committed}\n"
        "The version table still says {at}. Applied before it in this run, and kept: {applied}.",
        "Remove what made it fail, without changing the file; the next run leaves out what is listed and goes on behind it:\n"
        "  {cli} {direction}",
    ),
    "step-failed-within": Message(
        "Revision {revision} ({path}) failed on its {direction}: {error}",
        "It has an autocommit_block(), so this was already committed and stays (after 'begun:', perhaps a part):{committed}\n"
        "The version table still says {at}. Applied before it in this run, and kept: {applied}.",
        "The next run cannot tell where to go on: rows were changed, or the log is switched off. Undo what is listed, or make sure "
        "that running it again from its start does no harm (and write `rerunnable = True` into the file), then:\n  {cli} {direction}",
    ),
    "step-interrupted": Message(
        "Revision {revision} ({path}) was interrupted inside an autocommit_block() at {when} ({who}) and cannot be taken up by itself.",
        "The version table says {at}. Known to be there already (after 'begun:', perhaps):{committed}",
        "It changed rows, or the file has been edited since. Where running it again from its start does no harm, or once you have undone "
        "what is listed, write `rerunnable = True` into the file; or finish it by hand and stamp it:\n"
        "  {cli} {direction}\n  {cli} stamp {revision}",
    ),
    "step-interrupted-before": Message(
        "Revision {revision} was interrupted inside an autocommit_block() on its {direction}, at {when} ({who}).",
        "Nothing more was changed; the version table says {at}. Known to be there already (after 'begun:', perhaps):{committed}",
        "Finish that first, or undo what is listed and stamp:\n  {cli} {direction}\n  {cli} stamp {at}",
    ),
    "index-invalid": Message(
        "The index {names} is INVALID: a CREATE INDEX CONCURRENTLY that failed has left it behind.",
        "The revision was not recorded as applied. An INVALID index is used by no query, and a unique one lets duplicates in.",
        "Remove what made it fail (duplicates, for a unique one), drop it, and run it again:\n"
        "  psql -c 'DROP INDEX CONCURRENTLY {first}'\n  {cli} upgrade",
    ),
    "step-changed": Message(
        "The interrupted revision does not do again what it did before: then {known!r}, now {found!r}.",
        "Nothing more was changed.",
        "Finish it by hand and stamp it, or undo what it did and write `rerunnable = True` into the file. What it did:\n  {cli} log",
    ),
    "step-blocked": Message(
        "Revision {revision} ({path}) found no moment to run: after {tries} tries in {seconds} s it was still blocked.",
        ROLLED_BACK,
        "In its way: {blockers}.\nEnd that transaction, or allow more time (MIGRATOR_RETRY_FOR, MIGRATOR_LOCK_WAIT, in seconds), "
        "and run it again:\n"
        "  {cli} {direction}",
    ),
    "lock-not-had": Message(
        "Another run has held the migration lock for all of the {seconds} s that this one waited: {holder}.",
        UNTOUCHED,
        "See whether it is still at work, wait for it or end it, then run again; --lock-wait SECONDS waits longer:\n  {cli} current",
    ),
    "lock-lost": Message(
        "This run no longer holds the migration lock.",
        "The step that was about to begin was not begun.",
        "Its session was replaced, as a pooler does. Use a direct URL, and run it again:\n"
        "  export MIGRATION_DATABASE_URL=postgresql://user:password@host:5432/name\n  {cli} upgrade",
    ),
    "lock-behind-pooler": Message(
        "The database is reached through a transaction pooler, which changes the server process between two transactions.",
        UNTOUCHED + " A lock held by a session cannot hold there.",
        "Leave DATABASE_URL as it is for the application, and give migrations the server's own address:\n"
        "  export MIGRATION_DATABASE_URL=postgresql://user:password@host:5432/name\n  {cli} upgrade",
    ),
    "target-not-reached": Message(
        "The run ended, but the database is at {at} and not at {wanted}.",
        "Read again on a fresh connection. Applied in this run: {applied}.",
        "Somebody else has changed the version table, or a revision has. Look:\n  {cli} current",
    ),
    "not-at-head": Message(
        "The database is at {at}, and this program needs {wanted}.",
        UNTOUCHED + " A check at the start never migrates.",
        "Run the migrations before the program starts:\n  {cli} upgrade",
    ),
    "not-our-environment": Message(
        "The env.py in {path} does not call migrator.run.",
        "What Alembic did, it did without the engine's guarantees.",
        "Replace its configure() and run_migrations() by `migrator.run(connection, target_metadata=…)`, then:\n  {cli} current",
    ),
    "rebuild-loses": Message(
        "Revision {revision} ({path}) rebuilds the table {table} and would lose:\n{lost}",
        ROLLED_BACK,
        "Say what is to become of it in the revision (drop it, or make it anew). Where it is meant to go, write this beside `revision`:\n"
        "{accept}\nThen run it again:\n  {cli} {direction}",
    ),
    "rebuild-unclear": Message(
        "Revision {revision} ({path}) rebuilds the table {table}, whose definition cannot be read: {reason}.",
        ROLLED_BACK + " What a rebuild would lose cannot be told.",
        "Write the rebuild out in SQL (sqlite.org/lang_altertable.html, the twelve steps), then run it again:\n  {cli} {direction}",
    ),
    "foreign-keys-broken": Message(
        "Revision {revision} ({path}) would leave {count} rows without the row that their foreign key names:{rows}",
        ROLLED_BACK + " What was violated before is not counted.",
        "Mend these rows in the revision, or delete them there, then run it again. To see those that are broken already:\n"
        "  sqlite3 FILE 'PRAGMA foreign_key_check({table})'\n  {cli} {direction}",
    ),
    "table-left-over": Message(
        "The table {leftover} is in the way: an older rebuild of {table} failed and left it. It holds {rows} rows, {table} holds {own}.",
        "Nothing was dropped, and revision {revision} was not applied. The database is at {at}. Applied before it in this run: {applied}.",
        "{table} is whole, the other is a copy or a part of it. When you have looked, drop the copy and run again:\n"
        "  sqlite3 {file} 'DROP TABLE \"{leftover}\"'\n  {cli} {direction}",
    ),
    "table-lost": Message(
        "There is a table {leftover} and no table {table}: a rebuild failed between the two. {leftover} holds the {rows} rows.",
        UNTOUCHED,
        "It is the only copy. When you have looked, give it its name back (indexes and triggers are gone) and run again:\n"
        '  sqlite3 {file} \'ALTER TABLE "{leftover}" RENAME TO "{table}"\'\n  {cli} upgrade',
    ),
    "disk-too-small": Message(
        "Revision {revision} ({path}) rebuilds the table {table}, which needs about {needed} of disk; {free} is free beside {file}.",
        "The rebuild was not begun. The database is at {at}. Applied before it in this run, and kept: {applied}.",
        "Make room, then run it again:\n  df -h {file}\n  {cli} {direction}",
    ),
    "database-locked": Message(
        "The database {file} was locked for all of the {seconds} s that this run waited, by: {blockers}.",
        "The step that was about to begin was not begun; those before it in this run are kept.",
        "End that program's transaction, or wait longer (in seconds), and run it again:\n  MIGRATOR_LOCK_WAIT=600 {cli} upgrade",
    ),
}
