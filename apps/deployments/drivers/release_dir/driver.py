"""The driver `release_dir`: the calls every driver has, each one bounded look-and-do on the target."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from apps.catalog.repositories.git import NoCommit, why_not_repository
from apps.catalog.versions import Version
from apps.deployments.drivers.base import STEP_SECONDS, BadOptions, CannotTell, Observation, Order, Phase, Progress
from apps.deployments.drivers.release_dir.options import read_options
from apps.deployments.drivers.release_dir.processes import NotStarted
from apps.deployments.drivers.release_dir.readback import read_back
from apps.deployments.drivers.release_dir.work import Failed, Waiting, Work
from apps.deployments.rules.stepping import Safety


class ReleaseDir:
    """Releases in directories of this machine."""

    safety = Safety.QUERYABLE

    def why_not(self, options: Mapping[str, Any], repository: str, version: Version) -> str:
        """The sentence to show where these settings cannot bring this version, or an empty one."""
        try:
            read_options(options)
        except BadOptions as error:
            return str(error)
        if version.git is None:
            return "release_dir brings commits, and this version has none. Name its full commit id."
        return why_not_repository(repository)

    def start(self, order: Order) -> Progress:
        """Do the first piece; calling it again does no harm, because every piece looks first."""
        return self.poll(order, 0)

    def roll_back_to(self, order: Order) -> Progress:
        """The same towards the kept release of a version that ran before; exported again where it was pruned."""
        return self.poll(order, 0)

    def poll(self, order: Order, offset: int) -> Progress:
        """Do what is missing until it is read back, has to wait, or the time of a step is over."""
        try:
            work = self._taken(order)
        except BadOptions as error:
            return Progress(Phase.FAILED, failure=str(error))
        with answering(work):
            try:
                work.advance(time.monotonic() + STEP_SECONDS)
            except Waiting as waiting:
                return work.progress(Phase.WORKING, offset, wait_seconds=waiting.seconds)
            except (Failed, NoCommit, NotStarted) as error:
                work.say(work.options.mask(f"failed: {error}"))
                return work.progress(Phase.FAILED, offset, failure=str(error))
            return work.progress(Phase.DONE, offset)

    def cancel(self, order: Order, offset: int) -> Progress:
        """Stop before the switch; after it, say so and change nothing."""
        work = self._taken(order)
        with answering(work):
            with work.place.fenced(order.fence):
                if not work.has_switched:
                    work.drop()
            return work.progress(Phase.DONE, offset)

    def observe(self, order: Order) -> Observation:
        """Close the fence, then ask the program which commit it is, and the directory which one it is set to."""
        work = self._taken(order)
        try:
            name = work.place.current_name()
            points_to = work.place.revision_of(name) if name else None
        except OSError as error:
            return Observation(is_known=False, said=f"The directory {work.place.root} does not answer: {error}")
        known = [version.git for version in (order.version, order.previous) if version and version.git]
        report = read_back(work.options.version_url, known=known)
        return Observation(is_known=True, runs=_identity(report.commit), points_to=_identity(points_to), said=report.said)

    def _taken(self, order: Order) -> Work:
        """The work on a target whose fence is ours now; raises Fenced, CannotTell or BadOptions."""
        work = Work(order)
        with answering(work):
            work.place.prepare()
            with work.place.fenced(order.fence):
                return work


@contextmanager
def answering(work: Work) -> Iterator[None]:
    """A disk that is full, away or not ours does not answer; what is true there is unknown, nothing has failed."""
    try:
        yield
    except OSError as error:
        raise CannotTell(f"The directory {work.place.root} does not answer: {error}") from error


def _identity(commit: str | None) -> str | None:
    return f"git:{commit}" if commit else None
