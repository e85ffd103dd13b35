"""The classes of everything that the engine raises.

```
alembic.util.CommandError      plain `alembic` prints these without a traceback
└── MigratorError              .code, .fields, .progress; the text comes from `errors.texts`
    ├── SettingsError          alembic.ini, an environment variable or the URL cannot be used
    ├── HistoryError           the revision files, or a revision asked for, make no sense
    ├── DatabaseError          the database cannot be reached or used as it is
    ├── LockError              another session migrates, or holds what a step needs
    ├── StepFailed             a revision failed; the text says what was rolled back and what stayed
    ├── StampRefused           the schema is not the one that was claimed: exit code 1
    └── NotAtHead              the answer is no: exit code 1 instead of 2
```
"""

from typing import Any

from alembic.util import CommandError

from migrator.errors.message import Message
from migrator.errors.progress import Progress


class MigratorError(CommandError):
    """An error with a stable `code`, `fields` that a program can read, and the `progress` of the run that it ended, if there was one.

    `str()` gives the fact, what was and was not changed, and the command to type next; the first line stands alone.
    """

    exit_code = 2

    def __init__(self, code: str, message: Message, fields: dict[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.fields = fields
        self.progress: Progress | None = None
        self._message = message

    def add(self, **fields: Any) -> None:
        """Add what the one who lets it pass knows: the revision that was running, for one. A field that is there stays."""
        self.fields = {**fields, **self.fields}

    @property
    def fact(self) -> str:
        """What is wrong, without what was changed and what to do."""
        return self._message.render_fact(self.fields)

    def __str__(self) -> str:
        return f"{self._message.render(self.fields, self.progress)}\n(docs/errors.md#{self.code})"


class SettingsError(MigratorError):
    """Raised before anything is opened."""


class HistoryError(MigratorError):
    """Raised while the revision files are read or a plan is made, before the first write."""


class DatabaseError(MigratorError):
    """Raised when the database, or the connection handed in, cannot be used for a run."""


class LockError(MigratorError):
    """Raised when the time to wait is over; the text names what was waited for."""


class StepFailed(MigratorError):
    """Raised when a revision fails; `progress.applied` are the steps that this run had already committed."""


class StampRefused(MigratorError):
    """Raised when a database does not have the schema of the revision it was to be stamped with; nothing was stamped."""

    exit_code = 1


class NotAtHead(MigratorError):
    """Raised by `Migrator.require_head()`; never after a write."""

    exit_code = 1
