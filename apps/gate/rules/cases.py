"""One case before the judge: the facts and the leg they are read for. What several rules ask of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.core.moments import full_words
from apps.core.zones import zone_named
from apps.gate.rules.findings import Finding
from apps.gate.rules.shapes import Action, ClosedFacts, EnvironmentFacts, Facts, LegFacts, ServiceFacts, TargetFacts

APPROVED, NO = "APPROVED", "NO"


@dataclass(frozen=True, slots=True)
class Case:
    """The facts read for one leg, for a leg that is over, or for none."""

    facts: Facts
    leg: LegFacts | None = None
    closed: ClosedFacts | None = None

    @property
    def now(self) -> datetime:
        """The moment that is judged."""
        return self.facts.now

    @property
    def is_rollback(self) -> bool:
        """Whether going back is asked for."""
        return self.facts.question.action is Action.ROLLBACK

    @property
    def environment(self) -> EnvironmentFacts:
        """The environment; asked only after it is known to exist."""
        assert self.facts.environment is not None  # noqa: S101 - the judge has ended before, where it is None
        return self.facts.environment

    @property
    def service(self) -> ServiceFacts:
        """The service; asked only after it is known to exist."""
        assert self.facts.service is not None  # noqa: S101 - the judge has ended before, where it is None
        return self.facts.service

    @property
    def target(self) -> TargetFacts:
        """The target; asked only after it is known to exist."""
        assert self.facts.target is not None  # noqa: S101 - the judge has ended before, where it is None
        return self.facts.target

    @property
    def needs_change(self) -> bool:
        """Whether nothing goes here without a change; going back is allowed by the change that went forward."""
        return self.environment.change_required != NO and not self.is_rollback

    @property
    def needs_approval(self) -> bool:
        """Whether people must have agreed."""
        return self.environment.change_required == APPROVED and not self.is_rollback

    @property
    def is_own(self) -> bool:
        """Whether the deployment that asks is the one on the target."""
        return self.facts.question.deployment is not None and self.target.occupied_by == self.facts.question.deployment

    def say(self, moment: datetime, *, zone: str = "") -> str:
        """A moment in words, in the zone it was written in, else in the environment's."""
        found = zone_named(zone or self.environment.zone) or zone_named("UTC")
        assert found is not None  # noqa: S101 - UTC always exists
        return full_words(moment, zone=found)


Check = Callable[[Case], Iterable[Finding]]
