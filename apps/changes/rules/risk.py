"""How much could go wrong: an explainable sum, each factor with its points. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from apps.changes.content import Aspect, Content, Rollback, Strategy

OF_TIER = {1: 8, 2: 5, 3: 2}
OF_ENVIRONMENT = {"APPROVED": 4, "RECORDED": 1}
OF_ASPECT = {Aspect.DATA: 6, Aspect.INFRASTRUCTURE: 4, Aspect.RUNTIME: 2}
IRREVERSIBLE, NO_WAY_BACK, BY_PEOPLE, FIRST, EACH_FAILURE, EACH_MORE = 6, 6, 4, 4, 3, 2
MOST_FAILURES, MOST_MORE = 9, 6
# From how many points on a sum has which name; the names are for reading, rules compare the points.
LEVELS = ((25, "high"), (12, "medium"), (0, "low"))


@dataclass(frozen=True, slots=True)
class RiskPlace:
    """One service in one environment that a change goes to, and how the last thirty days went there."""

    service_id: UUID
    service: str
    tier: int
    environment: str
    rank: int
    change_required: str
    runs_something: bool = True
    failures_count: int = 0


@dataclass(frozen=True, slots=True)
class Factor:
    """One reason, with what it adds."""

    code: str
    words: str
    points: int


@dataclass(frozen=True, slots=True)
class Risk:
    """The sum and what it is made of, the heaviest factor first."""

    points: int
    factors: tuple[Factor, ...]

    @property
    def level(self) -> str:
        """What people call a sum of this height."""
        return next(word for least, word in LEVELS if self.points >= least)


def risk_of(content: Content, *, places: Iterable[RiskPlace]) -> Risk:
    """Add up what speaks against the change, from what it says and from what is known of the places it goes to."""
    known = tuple(places)
    found = [*_of_places(known), *_of_aspects(content), *_of_way_back(content.rollback)]
    factors = tuple(sorted((factor for factor in found if factor.points), key=lambda factor: -factor.points))
    return Risk(sum(factor.points for factor in factors), factors)


def _of_places(places: tuple[RiskPlace, ...]) -> Iterator[Factor]:
    if not places:
        return
    first = min(places, key=lambda place: place.tier)
    yield Factor("tier", f"{first.service} is a tier {first.tier} service", OF_TIER.get(first.tier, 0))
    last = max(places, key=lambda place: (OF_ENVIRONMENT.get(place.change_required, 0), place.rank))
    yield Factor("environment", f"It goes to {last.environment}", OF_ENVIRONMENT.get(last.change_required, 0))
    empty = [f"{place.service} in {place.environment}" for place in places if not place.runs_something]
    if empty:
        yield Factor("first_deployment", f"Nothing runs yet: {', '.join(empty)}", FIRST)
    failures = sum(place.failures_count for place in places)
    if failures:
        words = f"{failures} {'deployment' if failures == 1 else 'deployments'} there failed in 30 days"
        yield Factor("failures", words, min(EACH_FAILURE * failures, MOST_FAILURES))
    services = len({place.service_id for place in places})
    if services > 1:
        yield Factor("services", f"{services} services change together", min(EACH_MORE * (services - 1), MOST_MORE))


def _of_aspects(content: Content) -> Iterator[Factor]:
    for aspect, points in OF_ASPECT.items():
        if aspect in content.scope.aspects:
            yield Factor(f"aspect_{aspect.lower()}", f"{aspect.capitalize()} is touched", points)


def _of_way_back(rollback: Rollback) -> Iterator[Factor]:
    if rollback.irreversible or rollback.point_of_no_return is not None:
        yield Factor("irreversible", "Part of it cannot be undone", IRREVERSIBLE)
    match rollback.strategy:
        case None | Strategy.FIX_FORWARD:
            yield Factor("no_way_back", "There is no way back", NO_WAY_BACK)
        case Strategy.REVERT_COMMIT | Strategy.RESTORE_BACKUP:
            yield Factor("back_by_people", "People carry out the way back", BY_PEOPLE)
