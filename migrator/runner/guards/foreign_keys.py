"""No step commits a row whose foreign key names no row, where the database itself does not look."""

from migrator.errors import error
from migrator.runner.guards.guard import Guard
from migrator.runner.plan import Step


class ForeignKeys(Guard):
    """On SQLite foreign keys are off during a step, so that a rebuild cannot cascade; this is the check in their place."""

    def before_commit(self, step: Step, heads: set[str]) -> None:
        """Raise StepFailed "foreign-keys-broken" with the rows that the step left without a parent."""
        if found := self.run.session.broken_foreign_keys():
            raise error("foreign-keys-broken", count=len(found), rows=found, table=found[0].table)
