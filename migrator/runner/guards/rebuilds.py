"""No step commits a rebuilt table that lost what stood in it or depended on it."""

from migrator.runner.guards.guard import Guard
from migrator.runner.plan import Step


class Rebuilds(Guard):
    """On SQLite most changes of a table copy it into a new one."""

    def before_commit(self, step: Step, heads: set[str]) -> None:
        """Raise StepFailed "rebuild-loses" with the views, triggers and indexes that no longer work."""
        self.run.session.verify_rebuilds()
