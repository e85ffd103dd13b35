"""A stamp is true: a bridge, where there is one, makes it so, and the schema is compared before the commit."""

import logging
from collections.abc import Sequence
from functools import cached_property

from alembic.util import to_tuple

from migrator.adopt.stamp import StampCheck
from migrator.runner.guards.guard import Guard
from migrator.runner.plan import Step

_log = logging.getLogger("migrator")


class Stamp(Guard):
    """Compares the database with the revision that it is stamped with."""

    def before_run(self, plan: Sequence[Step]) -> None:
        """Replay the history before any lock is taken."""
        if plan and self.run.request.verify:
            self._check.prepare()

    def under_lock(self, plan: Sequence[Step]) -> None:
        """Warn of a stamp that compares nothing."""
        if plan and not self.run.request.verify:
            _log.warning("Stamping %s without checking the schema (--no-verify)", plan[0].revision)

    def before_commit(self, step: Step, heads: set[str]) -> None:
        """Run the bridge, then raise StampRefused unless the schema is the one at `heads`."""
        run = self.run
        if run.request.bridge is not None:
            self._check.run_bridge(run.request.bridge, run.migration)
        if run.request.verify:
            match = self._check.verify(heads)
            if match.extra:
                left = ", ".join(each.text for each in match.extra)
                _log.info("Left alone, because no revision creates them: %s", left)
            _log.info("The schema is that of %s. Not compared: %s", step.revision, ", ".join(run.dialect.not_compared))

    @cached_property
    def _check(self) -> StampCheck:
        run = self.run
        asked = " ".join(to_tuple(run.request.target))
        return StampCheck(run.connection, run.replay, asked=asked, accept_harmless=run.request.accept_harmless)
