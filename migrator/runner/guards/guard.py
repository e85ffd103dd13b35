"""What may stop a run: a safety check is a `Guard`, one file, and one line in the list."""

from collections.abc import Sequence

from migrator.errors.progress import Progress
from migrator.runner.plan import Step
from migrator.runner.state import Run


class Guard:
    """Four moments of a run at which a check can look and refuse, by raising a MigratorError. Each does nothing here."""

    def __init__(self, run: Run) -> None:
        """Hold the run; reads nothing."""
        self.run = run

    def before_run(self, plan: Sequence[Step]) -> None:
        """The plan is known, no lock is held, nothing is written. Leaves no transaction open. `plan` may be empty."""

    def under_lock(self, plan: Sequence[Step]) -> None:
        """The lock is held and the plan was made again; nothing is written. Leaves no transaction open."""

    def before_commit(self, step: Step, heads: set[str]) -> None:
        """In the step's transaction, after its change and the new version row; `heads` is what the version table says by then."""

    def after_run(self, progress: Progress) -> None:
        """Every step is committed and verified, and the lock is released. Leaves no transaction open."""
