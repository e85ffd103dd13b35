"""A downgrade below the revision at which the database was adopted needs a permission: it drops what was there before the history."""

from collections.abc import Sequence

from migrator.adopt.downgrade import check_downgrade
from migrator.runner.guards.guard import Guard
from migrator.runner.plan import Step


class AdoptedDowngrade(Guard):
    """Asks the log which revisions never ran here, and a replay what reverting them would drop."""

    def before_run(self, plan: Sequence[Step]) -> None:
        """Raise HistoryError "downgrade-adopted" with what would go and how many rows, unless the request permits it."""
        run = self.run
        if not run.request.drop_adopted:
            check_downgrade(run.connection, run.replay, [step.revision for step in plan], run.log)
            run.connection.rollback()
