"""Everything the engine raises.

```
alembic.util.CommandError      plain `alembic` prints these without a traceback
└── MigratorError              .code, .fields; the text comes from `messages`
    ├── SettingsError          alembic.ini, an environment variable or the URL cannot be used
    ├── HistoryError           the revision files, or a revision asked for, make no sense
    ├── DatabaseError          the database cannot be reached or used as it is
    ├── LockError              somebody else migrates, or holds what a step needs
    ├── StepFailed             a revision failed; what it did was rolled back
    ├── StampRefused           the schema is not the one that was claimed: exit code 1
    └── NotAtHead              the answer is no: exit code 1 instead of 2
```
"""

from typing import Any

from alembic.util import CommandError

from migrator.errors.texts import render


class MigratorError(CommandError):
    """An error with a stable `code`, and `fields` that a program can read.

    `str()` gives the fact, what was and was not changed, and the command to type next; the first line stands alone.
    """

    exit_code = 2

    def __init__(self, code: str, /, **fields: Any) -> None:
        super().__init__(render(code, fields))
        self.code = code
        self.fields = fields


class SettingsError(MigratorError):
    """Raised before anything is opened."""


class HistoryError(MigratorError):
    """Raised while the revision files are read or a plan is made, before the first write."""


class DatabaseError(MigratorError):
    """Raised when the database, or the connection handed in, cannot be used for a run."""


class LockError(MigratorError):
    """Raised when waiting came to its end; whatever was waited for is named in the text."""


class StepFailed(MigratorError):
    """Raised when a revision fails; `fields["applied"]` are the revisions this run had already committed."""


class StampRefused(MigratorError):
    """Raised when a database does not have the schema of the revision it was to be stamped with; nothing was written."""

    exit_code = 1


class NotAtHead(MigratorError):
    """Raised by `Migrator.require_head()`; never after a write."""

    exit_code = 1
