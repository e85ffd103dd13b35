"""No step is recorded whose index does not work."""

from migrator.errors import error
from migrator.runner.guards.guard import Guard
from migrator.runner.plan import Step


class InvalidIndexes(Guard):
    """A CREATE INDEX CONCURRENTLY that failed leaves an index on PostgreSQL that no query uses; IF NOT EXISTS then takes it for made."""

    def before_commit(self, step: Step, heads: set[str]) -> None:
        """Raise StepFailed "index-invalid" for an index that the step made, or took for made, and that is INVALID."""
        if names := self.run.session.invalid_indexes():
            raise error("index-invalid", names=names, first=names[0])
