"""What another migration runner applied is copied into the log when its database is adopted."""

from migrator.adopt import other_runners
from migrator.runner.guards.guard import Guard
from migrator.runner.plan import Step


class ImportedHistory(Guard):
    """Reads the other runner's table and leaves it alone."""

    def before_commit(self, step: Step, heads: set[str]) -> None:
        """Write the rows that the log does not have yet, in the stamp's transaction."""
        self.run.log.write_imported(self.run.connection, other_runners.imported(self.run.connection))
