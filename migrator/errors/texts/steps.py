"""How one revision can fail. The step runner adds `revision`, `path` and `direction` to the fields of each error that passes it."""

from migrator.errors.message import Message
from migrator.errors.tree import LockError, StepFailed

STEP_FIELDS = frozenset(("revision", "path", "direction"))
_COMMITTED = (
    "It has an autocommit_block(); these statements were already committed and remain ('begun:' marks one that may be incomplete):"
    "{committed!b}\n{changed}"
)
_OWN_TRANSACTION = (
    "The engine commits a step together with its version row. Take the COMMIT, ROLLBACK, commit(), rollback(), close() or executescript() "
    "out of the file; what has to be committed in parts belongs into `with op.get_context().autocommit_block():`. Then:\n"
    "  {cli} {again}"
)

TEXTS: dict[str, Message] = {
    "step-failed": Message(
        StepFailed,
        "Revision {revision} ({path}) failed on its {direction}: {error}",
        "Fix what the database complains about, or the file, then run it again:\n  {cli} {again}",
    ),
    "step-failed-outside": Message(
        StepFailed,
        "Revision {revision} ({path}) failed on its {direction}: {error}",
        "The cause is not in the file. {advice} Then run it again:\n  {cli} {again}",
    ),
    "step-failed-partly": Message(
        StepFailed,
        "Revision {revision} ({path}) failed on its {direction}: {error}",
        "Remove the cause without changing the file; the next run leaves out what is listed and continues after it:\n  {cli} {again}",
        _COMMITTED,
    ),
    "step-failed-unresumable": Message(
        StepFailed,
        "Revision {revision} ({path}) failed on its {direction}: {error}",
        "The next run cannot tell where to continue: rows were changed, or the log is switched off. Undo what is listed, or make sure that "
        "running it again from its start does no harm (and write `rerunnable = True` into the file), then:\n  {cli} {again}",
        _COMMITTED,
    ),
    "step-transaction-ended": Message(
        StepFailed,
        "Revision {revision} ({path}) ended the transaction of its {direction} itself, {how}.",
        _OWN_TRANSACTION,
    ),
    "step-committed": Message(
        StepFailed,
        "Revision {revision} ({path}) committed a part of its {direction} itself, {how}.",
        "Undo what is listed, or make sure that running it again from its start does no harm. " + _OWN_TRANSACTION,
        "{changed} These statements came before that commit ('begun:' marks one that may not be there), and what the revision did on the "
        "driver's own connection is not among them:{committed!b}",
    ),
    "step-commit-failed": Message(
        StepFailed,
        "Revision {revision} ({path}) ended a transaction in its autocommit_block() with {statement}, and the database rolled it back: a "
        "statement in it had failed.",
        "Let the error of that statement pass, or go back to a SAVEPOINT before it. Then run it again:\n  {cli} {again}",
    ),
    "step-interrupted": Message(
        StepFailed,
        "Revision {revision} ({path}) was interrupted inside an autocommit_block() at {when} ({who}) and cannot be resumed automatically.",
        "It changed rows, or the file has been edited since. If running it again from its start does no harm, or once you have undone what "
        "is listed, write `rerunnable = True` into the file, or say so on the command line; or finish it by hand and stamp it:\n"
        "  {cli} {again} --rerun-interrupted\n  {cli} stamp {revision}",
        "{changed} Known to be there from before ('begun:' marks one that may be incomplete):{committed!b}",
    ),
    "step-interrupted-before": Message(
        StepFailed,
        "Revision {revision} was interrupted inside an autocommit_block() on its {direction}, at {when} ({who}).",
        "Finish that first, or undo what is listed and stamp:\n  {cli} {again}\n  {cli} stamp {at!h}",
        "{changed} Known to be there from before ('begun:' marks one that may be incomplete):{committed!b}",
    ),
    "step-changed": Message(
        StepFailed,
        "The interrupted revision {revision} now produces different SQL than when it was interrupted: was {known!r}, is {found!r}.",
        "Finish it by hand and stamp it, or undo what it did and write `rerunnable = True` into the file. To see what it did:\n  {cli} log",
    ),
    "step-blocked": Message(
        LockError,
        "Revision {revision} ({path}) could not get its locks: still blocked after {tries} attempts in {seconds} s.",
        "Blocked by: {blockers!c}.\nEnd that transaction, or allow more time (MIGRATOR_RETRY_FOR, MIGRATOR_LOCK_WAIT, in seconds), "
        "and run it again:\n  {cli} {again}",
    ),
    "step-waits-for-itself": Message(
        StepFailed,
        "Revision {revision} ({path}) waits for itself: on a second connection it needs what its own step has locked, or the other way "
        "round. The statement: {statement}",
        "Use the step's own connection, op.get_bind(), for everything in the revision, or put that part into a revision of its own. Then:\n"
        "  {cli} {again}",
    ),
    "step-idle": Message(
        StepFailed,
        "Revision {revision} ({path}) lost its session: it had asked the database nothing for {idle:,.1f} s, and the limit is {limit:,g} s "
        "({source}).",
        "If its Python needs that long, write the seconds into the file, next to `revision`, and run it again:\n"
        "  idle_limit = 3600\n  {cli} {again}",
        "{changed} The server ends a session that is idle for too long, because its locks stop the application.",
    ),
    "step-transaction-timeout": Message(
        StepFailed,
        "Revision {revision} ({path}) lost its session after {lasted:,.1f} s in one transaction; the role's transaction_timeout is "
        "{limit:,g} s.",
        "Migrate as a role without that limit, or lift it:\n"
        "  psql -c 'ALTER ROLE CURRENT_USER SET transaction_timeout = 0'\n  {cli} {again}",
    ),
    "index-invalid": Message(
        StepFailed,
        "The index {names!c} is INVALID: a statement with CONCURRENTLY failed and left it.",
        "Remove the cause (duplicates, for a unique one), drop it, and run it again:\n"
        "  psql -c 'DROP INDEX CONCURRENTLY {first}'\n  {cli} upgrade",
        "{changed} {revision} is not recorded as applied. No query uses an INVALID index, and a unique one lets duplicates in.",
    ),
    "rebuild-loses": Message(
        StepFailed,
        "Revision {revision} ({path}) changes the table {table} and would lose or break:{lost!b}",
        "Say in the revision what happens to it (drop it, or create it again). If it is meant to go, write this next to `revision`:\n"
        "{accept}\n(the setting accept_loss takes the same texts, if the file is not yours). Then run it again:\n  {cli} {again}",
    ),
    "rebuild-deletes-children": Message(
        StepFailed,
        "Revision {revision} ({path}) rebuilds the table {table} in a transaction of its own, with foreign keys on: SQLite would delete or "
        "change rows of {children!c}.",
        "Let the revision switch foreign keys on after the rebuild, or rebuild before it begins a transaction. Then run it again:\n"
        "  {cli} {again}",
    ),
    "values-unfit": Message(
        StepFailed,
        "Revision {revision} ({path}) changes the type of columns of {table} on SQLite, and their values would be lost or read as "
        "others:{unfit!b}",
        "Fix these rows first, or write the conversion into the revision, for both databases; each is an expression in SQL:\n"
        "    batch.alter_column({column!r}, type_=…, sqlite_using='…', postgresql_using='…')\n"
        "To keep the values as they are, write this next to `revision`:\n{accept}\n"
        "(the setting accept_loss takes the same texts, if the file is not yours). Then run it again:\n  {cli} {again}",
    ),
    "key-has-nulls": Message(
        StepFailed,
        "Revision {revision} ({path}) makes a primary key in {table}, which is never NULL, of columns that lack values:{nulls!b}",
        "Give these rows a value in the revision, before the change, or delete them there:\n"
        '    op.execute(\'UPDATE "{table}" SET "{column}" = … WHERE "{column}" IS NULL\')\n'
        "Then run it again:\n  {cli} {again}",
    ),
    "not-a-table": Message(
        StepFailed,
        "Revision {revision} ({path}) changes {table!r} with batch_alter_table, which {what}.",
        "Name a table there; a view is dropped and created again, with op.execute(). Then run it again:\n  {cli} {again}",
    ),
    "table-sql-unreadable": Message(
        StepFailed,
        "Revision {revision} ({path}) rebuilds the table {table}, whose definition cannot be read: {reason}.",
        "Write the rebuild in SQL (sqlite.org/lang_altertable.html, the twelve steps), then run it again:\n  {cli} {again}",
        "{changed} What a rebuild would lose is not known.",
    ),
    "foreign-keys-broken": Message(
        StepFailed,
        "Revision {revision} ({path}) would leave {count} rows without the row that their foreign key names:{rows!b}",
        "Fix these rows in the revision, or delete them there, then run it again. To list rows that were already broken:\n"
        "  sqlite3 FILE 'PRAGMA foreign_key_check({table})'\n  {cli} {again}",
        "{changed} Rows that were already broken are not counted.",
    ),
    "table-left-over": Message(
        StepFailed,
        "The table {leftover} is in the way: an older rebuild of {table} failed and left it. It holds {rows} rows, {table} holds {own}.",
        "{table} is whole, the other is a copy or a part of it. Look at both, then drop the copy and run again:\n"
        "  sqlite3 {file} 'DROP TABLE \"{leftover}\"'\n  {cli} {again}",
    ),
    "disk-too-small": Message(
        StepFailed,
        "Revision {revision} ({path}) rebuilds the table {table}, which needs about {needed:,.1f} MB of disk; "
        "{free:,.1f} MB are free next to {file}.",
        "Free some space, then run it again:\n  df -h {file}\n  {cli} {again}",
    ),
}
