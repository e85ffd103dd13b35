"""Every text an error can have, keyed by its stable code.

A text is the fact, the consequence (what was and was not changed) and the remedy, ending in a command that can be pasted.
`{cli}` is the program that the user typed. Each code has an anchor of its own in docs/errors.md.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Message(NamedTuple):
    fact: str
    consequence: str
    remedy: str


_UNTOUCHED = "Nothing was changed."
_ROLLED_BACK = (
    "What it did was rolled back; the database is at {at}. Applied before it in this run, and kept: {applied}."
)

CATALOGUE: dict[str, Message] = {
    # Settings
    "config-missing": Message(
        "There is no configuration file at {path}.",
        _UNTOUCHED,
        "Name the file:\n  {cli} --config path/to/alembic.ini upgrade",
    ),
    "config-unreadable": Message(
        "The configuration file {path} cannot be read: {reason}",
        _UNTOUCHED,
        "Mend the file, then look:\n  {cli} current",
    ),
    "setting-refused": Message(
        "The setting {name} = {value!r} is refused: {reason}.",
        _UNTOUCHED,
        "Change it in [migrator] in alembic.ini, in the environment or in the command, then look:\n  {cli} current",
    ),
    "url-empty": Message(
        "The database's URL is empty (from {source}).",
        _UNTOUCHED
        + " An empty URL is not taken for the default, so that a missing secret cannot migrate the wrong database.",
        "Give it a value, or unset it:\n  export DATABASE_URL=postgresql://user:password@host/name",
    ),
    "url-invalid": Message(
        "The database's URL cannot be understood (from {source}).",
        _UNTOUCHED + " The URL is not shown, it may hold a password.",
        "Write it as one of these, with @ / # % in a password percent-encoded:\n"
        "  export DATABASE_URL=postgresql://user:password@host:5432/name\n  export DATABASE_URL=sqlite:///app.db",
    ),
    "url-unsupported": Message(
        "The database {name!r} is not supported (from {source}); PostgreSQL and SQLite are.",
        _UNTOUCHED,
        "Use postgresql:// or sqlite:///:\n  export DATABASE_URL=postgresql://user:password@host:5432/name",
    ),
    "url-driver-missing": Message(
        "The driver {driver!r} is not installed (from {source}).",
        _UNTOUCHED,
        "Install it:\n  pip install {driver}",
    ),
    "url-sqlite-arguments": Message(
        "The SQLite URL has arguments that are only understood together with uri=true: {names}.",
        _UNTOUCHED,
        "Write it as a file URI:\n  export 'DATABASE_URL=sqlite:///file:app.db?mode=rw&uri=true'",
    ),
    # The revision files
    "versions-missing": Message(
        "There is no folder of revisions at {path}.",
        _UNTOUCHED,
        "Correct script_location in alembic.ini, or make a first revision:\n  mkdir -p {path} && {cli} revision -m 'first'",
    ),
    "revision-does-not-load": Message(
        "The revision file {path} does not load: {error} (line {line}).",
        _UNTOUCHED,
        "Mend the file, then look:\n  {cli} history",
    ),
    "revision-duplicate": Message(
        "Two files have the revision id {revision}: {files}.",
        _UNTOUCHED + " Alembic would ignore one of them.",
        "Give the newer one an id of its own, in `revision = ` and in its name, then look:\n  {cli} history",
    ),
    "revision-too-long": Message(
        "The revision id {revision} in {path} has {length} characters; PostgreSQL's version table holds 32.",
        _UNTOUCHED,
        "Shorten `revision = ` there, and `down_revision = ` in the file after it, then look:\n  {cli} history",
    ),
    "parent-missing": Message(
        "Revision {revision} ({path}) comes after {parent}, and no file has that id.",
        _UNTOUCHED,
        "Bring the missing file back (a merge may have lost it), or correct `down_revision`, then look:\n  {cli} history",
    ),
    "history-cycle": Message(
        "The revisions {revisions} come after one another in a circle.",
        _UNTOUCHED,
        "Correct `down_revision` in one of {files}, then look:\n  {cli} history",
    ),
    "heads-several": Message(
        "The history has {count} heads: {files}.",
        _UNTOUCHED,
        "Either put one after the other, `down_revision = {first!r}` in {last_path}, or join them:\n"
        "  {cli} merge -m 'join {first} and {last}' {heads}\n  {cli} upgrade head",
    ),
    "revision-incomplete": Message(
        "Revision {revision} ({path}) has no {missing}().",
        _UNTOUCHED,
        "Write it; one that cannot be undone says so by raising in downgrade(). Then look where the database is:\n  {cli} current",
    ),
    "revision-unknown": Message(
        "There is no revision {asked!r} in the history.",
        _UNTOUCHED,
        "The history has {known}. See it all:\n  {cli} history",
    ),
    "revision-ambiguous": Message(
        "{asked!r} is the beginning of more than one revision: {candidates}.",
        _UNTOUCHED,
        "Write more of it. See them all:\n  {cli} history",
    ),
    "revision-out-of-reach": Message(
        "{asked!r} cannot be reached from {at}: {reason}.",
        _UNTOUCHED,
        "See where it is and what there is:\n  {cli} history",
    ),
    "revision-id-taken": Message(
        "The revision id {revision} is taken, by {path}.",
        _UNTOUCHED,
        "Choose another one, or leave --rev-id out and get the next number:\n  {cli} revision -m 'what it does'",
    ),
    "not-comparable": Message(
        "The database is not at the head of the history, so it cannot be compared with the models.",
        _UNTOUCHED,
        "Bring it there first:\n  {cli} upgrade head",
    ),
    "scripts-missing": Message(
        "{reason}",
        _UNTOUCHED,
        "Correct script_location in [alembic] in {path}, then look:\n  {cli} history",
    ),
    "range-unclear": Message(
        "{asked!r} is not a revision, and not a range a:b of two.",
        _UNTOUCHED,
        "See the revisions:\n  {cli} history",
    ),
    "range-needed": Message(
        "A downgrade with --sql needs a range, because no database is asked where it begins.",
        _UNTOUCHED,
        "Say both ends, the newer one first:\n  {cli} downgrade head:base --sql",
    ),
    "range-without-sql": Message(
        "The range {asked!r} only means something together with --sql.",
        _UNTOUCHED,
        "Print the SQL, or name one revision:\n  {cli} {command} {asked} --sql\n  {cli} {command} {end}",
    ),
    "database-unknown-revision": Message(
        "The database is at {at}, and no revision file has that id.",
        _UNTOUCHED + " The log does not know it either.",
        "It was migrated by newer code, or belongs to another project. Check out the code that has {at}, or see what is here:\n"
        "  {cli} history",
    ),
    "database-ahead": Message(
        "The database is ahead of the files: it is at {at} ({description}), applied at {when} by {who} from {file}; no file for {gone}.",
        _UNTOUCHED,
        "Check out the code that has it. Or take it back: the log keeps what was run, shows it and asks:\n  {cli} downgrade",
    ),
    "stored-text-changed": Message(
        "The log's text of revision {revision} is not the one that was applied: its checksum is wrong.",
        _UNTOUCHED + " The text was not run.",
        "Check out the code that has {revision}, then take it back:\n  {cli} downgrade",
    ),
    "revision-inserted": Message(
        "Revision {revision} ({path}) was put before {before}, which was applied at {when} without it.",
        _UNTOUCHED + " Alembic would take {revision} for applied and never run it.",
        "Put it after the newest revision: `down_revision = {head!r}` in {path}, and {before} after what it came after. Then:\n"
        "  {cli} upgrade",
    ),
    # The database
    "database-missing": Message(
        "There is no database at {path}.",
        _UNTOUCHED + " A command that reads does not create one.",
        "Correct the path (the URL is from {source}), or create the database:\n  {cli} upgrade",
    ),
    "database-unreachable": Message(
        "The database {url} cannot be used: {reason}",
        _UNTOUCHED,
        "{advice} (The URL is from {source}.) Then:\n  {cli} current",
    ),
    "connection-in-transaction": Message(
        "The connection handed to run() is already in a transaction.",
        _UNTOUCHED + " Alembic would never commit it: exit 0 and nothing saved.",
        "Something ran on it before, often a SELECT. End that first, with connection.commit() or on a connection of its own:\n"
        "  {cli} upgrade",
    ),
    "connection-unknown": Message(
        'config.attributes["connection"] is a {type}, and neither an Engine nor a Connection of SQLAlchemy\'s.',
        _UNTOUCHED,
        "From an async program call it through `connection.run_sync()` with the connection that this hands over, or use the URL:\n"
        "  {cli} upgrade",
    ),
    "connection-autocommit": Message(
        "The connection handed to run() is in AUTOCOMMIT.",
        _UNTOUCHED + " No step could be undone.",
        "Hand over one without isolation_level='AUTOCOMMIT', then:\n  {cli} upgrade",
    ),
    # The run
    "step-failed": Message(
        "Revision {revision} ({path}) failed on its {direction}: {error}",
        _ROLLED_BACK,
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
        _ROLLED_BACK,
        "In its way: {blockers}.\nEnd that transaction, or allow more time (MIGRATOR_RETRY_FOR, MIGRATOR_LOCK_WAIT, in seconds), "
        "and run it again:\n"
        "  {cli} {direction}",
    ),
    "lock-not-had": Message(
        "Another run has held the migration lock for all of the {seconds} s that this one waited: {holder}.",
        _UNTOUCHED,
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
        _UNTOUCHED + " A lock held by a session cannot hold there.",
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
        _UNTOUCHED + " A check at the start never migrates.",
        "Run the migrations before the program starts:\n  {cli} upgrade",
    ),
    "not-our-environment": Message(
        "The env.py in {path} does not call migrator.run.",
        "What Alembic did, it did without the engine's guarantees.",
        "Replace its configure() and run_migrations() by `migrator.run(connection, target_metadata=…)`, then:\n  {cli} current",
    ),
    # SQLite
    "rebuild-loses": Message(
        "Revision {revision} ({path}) rebuilds the table {table} and would lose:\n{lost}",
        _ROLLED_BACK,
        "Say what is to become of it in the revision (drop it, or make it anew). Where it is meant to go, write this beside `revision`:\n"
        "{accept}\nThen run it again:\n  {cli} {direction}",
    ),
    "rebuild-unclear": Message(
        "Revision {revision} ({path}) rebuilds the table {table}, whose definition cannot be read: {reason}.",
        _ROLLED_BACK + " What a rebuild would lose cannot be told.",
        "Write the rebuild out in SQL (sqlite.org/lang_altertable.html, the twelve steps), then run it again:\n  {cli} {direction}",
    ),
    "foreign-keys-broken": Message(
        "Revision {revision} ({path}) would leave {count} rows without the row that their foreign key names:{rows}",
        _ROLLED_BACK + " What was violated before is not counted.",
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
        _UNTOUCHED,
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
    # Adoption
    "stamp-refused": Message(
        "The database does not have the schema of revision {revision}: {found}.",
        "Nothing was stamped. What separates it from {revision}:{differences}",
        "Stamp the revision that it matches, let adopt find out, or mend it with these operations of Alembic's; "
        "--no-verify stamps without looking:\n{commands}\n  {cli} adopt",
    ),
    "adopt-empty": Message(
        "The database is empty: there is nothing to adopt.",
        _UNTOUCHED,
        "Make the tables:\n  {cli} upgrade",
    ),
    "adopt-foreign": Message(
        "The database has none of the tables that the revisions make; it has {tables}.",
        _UNTOUCHED,
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
        _UNTOUCHED + " It would delete what was there before the history:{gone}",
        "Make a copy of the database first. Where that is meant, it asks, or takes the answer from --yes:\n  {cli} downgrade",
    ),
    "bridge-unusable": Message(
        "The file {path} is not a bridge that adopt has written.",
        _UNTOUCHED,
        "Write one, read it, and name it:\n  {cli} adopt --fix",
    ),
    "baseline-not-first": Message(
        "A baseline begins a history, and there is one: revisions in {path}, or the database is at {at}.",
        _UNTOUCHED,
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
        _UNTOUCHED,
        "Install it, for development only:\n  pip install 'sqlacodegen>=4,<5'",
    ),
    "stamp-unverifiable": Message(
        "The history branches, so that there is no one schema at revision {revision} to compare with.",
        "Nothing was stamped.",
        "Where you are sure, stamp without looking:\n  {cli} stamp {revision} --no-verify",
    ),
    "scratch-refused": Message(
        "The role {role} may create neither a database nor a schema in {database}, to replay the history in.",
        _UNTOUCHED,
        "Grant one of them:\n  psql -c 'ALTER ROLE {role} CREATEDB'\n  psql -c 'GRANT CREATE ON DATABASE {database} TO {role}'",
    ),
    # Alembic's own words
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


def render(code: str, fields: Mapping[str, Any]) -> str:
    """Return the whole text of an error: fact, consequence, remedy, and where docs/errors.md says more."""
    values = {"cli": program(), **fields}
    fact, consequence, remedy = (part.format(**values) for part in CATALOGUE[code])
    return f"{fact}\n{consequence}\n{remedy}\n(docs/errors.md#{code})"


def program() -> str:
    """Return what to type in front of a command: what the user typed to get here."""
    return "alembic" if Path(sys.argv[0]).stem == "alembic" else "python migrate.py"
