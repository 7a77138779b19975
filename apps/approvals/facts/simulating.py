"""Who would have to sign: of a change that is there, or of one that is only thought of. Nothing is written."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from apps.accounts.models import Person
from apps.approvals.facts.makers import MAKERS, makers_of, with_makers
from apps.approvals.facts.outlook import look_ahead
from apps.approvals.facts.people import people_about
from apps.approvals.facts.policies import policies_for
from apps.approvals.facts.review import review_facts
from apps.approvals.rules import Forecast, PolicyFacts, QuorumFacts, editor_of, forecast, to_come
from apps.catalog.models import Environment, Service
from apps.changes.content import PARTS
from apps.changes.facts import person_id
from apps.changes.models import Change
from apps.changes.states import Kind

NOWHERE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Supposed:
    """A change that is only thought of: one service, one environment."""

    service: Service
    environment: Environment
    kind: str = Kind.NORMAL.value
    risk: int | None = None
    requester: Person | None = None
    editor: Person | None = None
    before: datetime | None = None  # when it is to begin


@dataclass(frozen=True, slots=True)
class Asked:
    """One place: the policy in force there, and who could fill its seats."""

    leg: QuorumFacts
    forecast: Forecast


def who_must_sign(supposed: Iterable[Supposed], *, now: datetime, policy: PolicyFacts | None = None) -> tuple[Asked, ...]:
    """For each place: who would have to sign each rule, whether it can be met in time, and with which people.

    POLICY is asked instead of the one in force: what a wording would do before it is written."""
    places = [*supposed]
    shelf = policies_for({place.environment for place in places})
    legs = []
    for place in places:
        in_force = shelf.find(environment_id=place.environment.pk, service_id=place.service.pk, kind=place.kind, risk=place.risk)
        legs.append(_leg(place, policy or in_force, now=now))
    return _seen(legs, now=now)


def who_must_sign_change(change: Change, *, now: datetime, policy: PolicyFacts | None = None) -> tuple[Asked, ...]:
    """The same for a change that is there, with what is signed already: every leg that is still to come."""
    legs = to_come(review_facts(change, now=now).legs)
    if policy is None:
        return _seen(legs, now=now)
    makers = makers_of(change) if policy.exclude & MAKERS else None
    supposed = [replace(leg, policy=policy, has_unknown_makers=False) for leg in legs]
    return _seen([with_makers(leg, makers) if makers else leg for leg in supposed], now=now)


def _leg(place: Supposed, policy: PolicyFacts | None, *, now: datetime) -> QuorumFacts:
    people, mandates = people_about(place.service, policy=policy, kind=place.kind, now=now)
    hands = {"requester": place.requester, **{editor_of(part): place.editor or place.requester for part in PARTS}}
    return QuorumFacts(
        leg_id=NOWHERE,
        target_id=NOWHERE,
        service_id=place.service.public_id,
        service=place.service.name,
        environment=place.environment.name,
        required=place.environment.change_required,
        policy=policy,
        digests={},
        sign_offs=(),
        # Nothing is made yet by anybody.
        hands={hand: frozenset({person_id(person)} if person else ()) for hand, person in hands.items()}
        | dict.fromkeys(MAKERS, frozenset()),
        people=tuple(people.values()),
        mandates=mandates,
        before=place.before,
    )


def _seen(legs: Iterable[QuorumFacts], *, now: datetime) -> tuple[Asked, ...]:
    return tuple(Asked(leg, forecast(leg)) for leg in look_ahead(legs, now=now))
