"""The files against the log: a revision inserted before an applied one stops the run, an edited one is a warning."""

from collections.abc import Sequence

from migrator.history import consistency
from migrator.runner.guards.guard import Guard
from migrator.runner.plan import Step


class EditedFiles(Guard):
    """Compares each applied file with the text that ran."""

    def before_run(self, plan: Sequence[Step]) -> None:
        """Raise HistoryError "revision-inserted"; warn of edited files, and of a step that has not finished if no lock is waited for."""
        run = self.run
        if not run.restored:
            heads = () if run.request.purge else run.heads
            consistency.check_applied(run.script, heads, run.log, run.connection, run.texts)
        if not plan:
            consistency.mention_begun(run.log, run.connection)
        run.connection.rollback()
