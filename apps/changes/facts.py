"""The queries that build the facts which the rules about changes decide on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from apps.accounts.facts import standing_grants
from apps.accounts.models import Person
from apps.accounts.steps import person_by_actor
from apps.catalog.models import Environment, Outcome, Service, Target
from apps.changes.content import PARTS, Content, content_from_bytes
from apps.changes.models import Change, Dependency, Leg, Revision
from apps.changes.rules import Asker, ChangeFacts, LegFacts, Place, Risk, RiskPlace, risk_of
from apps.changes.states import LegState, State
from apps.core.actors import Actor
from apps.core.references import Reference

LOOKED_BACK = timedelta(days=30)
WENT_WRONG = (Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.LEFT)

Grants = frozenset[tuple[str, int | None]]


@dataclass(frozen=True, slots=True)
class Places:
    """The rows that a content names, by public id; what is retired or unseen is not among them."""

    services: dict[UUID, Service]
    environments: dict[UUID, Environment]
    targets: dict[Place, Target]


def current_legs(change: Change) -> QuerySet[Leg]:
    """The legs the newest revision asks for, in the order of its items and of the ladder."""
    legs = change.legs.filter(is_current=True).select_related("item", "service", "environment", "target")
    return legs.order_by("item__position", "environment__rank", "pk")


def change_facts(change: Change, legs: Iterable[Leg] | None = None) -> ChangeFacts:
    """What the rules ask about a change; LEGS are its current ones where somebody has read them already."""
    return ChangeFacts(
        ref=change.ref,
        state=State(change.state),
        requester_id=person_id(change.requester),
        not_after=change.not_after,
        legs=tuple(leg_facts(leg) for leg in (current_legs(change) if legs is None else legs)),
    )


def leg_facts(leg: Leg) -> LegFacts:
    """What the rules ask about a leg."""
    return LegFacts(
        service_id=leg.service.public_id,
        environment_id=leg.environment.public_id,
        place=f"{leg.service.name} in {leg.environment.name}",
        state=LegState(leg.state),
        failures_count=leg.failures_count,
        rolled_back_revision=leg.rolled_back_revision,
    )


def person_id(person: Person) -> UUID:
    """The public id of a person, or of the one they are merged into."""
    return person.merged_into.public_id if person.merged_into else person.public_id


def asker(by: Actor, change: Change) -> Asker:
    """Who asks about a change, and the roles they have for every service of it; raises Refused for who cannot act."""
    services = Service.objects.filter(pk__in=change.items.filter(is_current=True).values("service"))
    return asker_of(person_by_actor(by), services)


def grants_of(person: Person) -> Grants:
    """The roles a person has, each with the team for whose services alone, or None."""
    return frozenset(standing_grants().filter(person=person).values_list("role", "team_id"))


def asker_of(person: Person, services: Iterable[Service], *, grants: Grants | None = None) -> Asker:
    """A person, and the roles they have for every one of these services; where none is named, the roles they have anywhere."""
    teams = {service.team_id for service in services}
    given: dict[str, set[int | None]] = {}
    for role, team_id in grants_of(person) if grants is None else grants:
        given.setdefault(role, set()).add(team_id)
    held = {role for role, where in given.items() if None in where or teams <= where}
    return Asker(id=person_id(person), roles=frozenset(held))


def content_of(revision: Revision) -> Content:
    """The content of a revision, read from its stored bytes."""
    return content_from_bytes({part: getattr(revision, part) for part in PARTS})


def places(content: Content, *, services: QuerySet[Service]) -> Places:
    """The rows that the content names, services taken from those the asker may see."""
    service_ids = {item.service_id for item in content.scope.items}
    environment_ids = {each.id for item in content.scope.items for each in item.environments}
    targets = Target.objects.open_now().filter(service__public_id__in=service_ids, environment__public_id__in=environment_ids)
    return Places(
        services={service.public_id: service for service in services.filter(public_id__in=service_ids, retired_at__isnull=True)},
        environments={each.public_id: each for each in Environment.objects.open_now().filter(public_id__in=environment_ids)},
        targets={
            (target.service.public_id, target.environment.public_id): target for target in targets.select_related("service", "environment")
        },
    )


def what_runs(content: Content) -> dict[Place, bool]:
    """By place, whether something runs there now: what `why_not_rollback` asks."""
    service_ids = {item.service_id for item in content.scope.items}
    rows = Target.objects.filter(service__public_id__in=service_ids).values_list(
        "service__public_id", "environment__public_id", "running_identities"
    )
    return {(service, environment): bool(running) for service, environment, running in rows}


def risk_now(content: Content, *, now: datetime) -> Risk:
    """The risk of this content as things are now, each factor with its points."""
    return risk_of(content, places=risk_places(content, now=now))


def risk_places(content: Content, *, now: datetime) -> tuple[RiskPlace, ...]:
    """The places that the content names and that exist, with what the last thirty days brought there; in one statement."""
    wanted = {(item.service_id, each.id) for item in content.scope.items for each in item.environments}
    recent = Q(arrivals__outcome__in=WENT_WRONG, arrivals__at__gt=now - LOOKED_BACK, arrivals__at__lte=now)
    named = Target.objects.filter(service__public_id__in={service for service, _ in wanted}).select_related("service", "environment")
    rows = named.annotate(failures_count=Count("arrivals", filter=recent)).order_by("pk")
    return tuple(
        RiskPlace(
            service_id=row.service.public_id,
            service=row.service.name,
            tier=row.service.tier,
            environment=row.environment.name,
            rank=row.environment.rank,
            change_required=row.environment.change_required,
            runs_something=bool(row.running_identities),
            failures_count=row.failures_count,
        )
        for row in rows
        if (row.service.public_id, row.environment.public_id) in wanted
    )


def needs_of(change: Change) -> QuerySet[Dependency]:
    """What a change comes after now, the oldest change first."""
    return change.dependencies.filter(ended_at__isnull=True).select_related("needs").order_by("needs_id")


def needed_by(change: Change) -> QuerySet[Dependency]:
    """What comes after a change now."""
    return change.dependants.filter(ended_at__isnull=True).select_related("change").order_by("change_id")


def standing_needs(changes: Iterable[Change]) -> dict[str, list[str]]:
    """By reference, what these changes come after, and what those come after, however far."""
    found: dict[str, list[str]] = {}
    waiting = {change.pk for change in changes}
    seen: set[int] = set()
    while waiting:
        rows = Dependency.objects.filter(change__in=waiting, ended_at__isnull=True).select_related("change", "needs")
        seen |= waiting
        waiting = set()
        for row in rows:
            found.setdefault(row.change.ref, []).append(row.needs.ref)
            waiting |= {row.needs_id} - seen
    return found


def references_of(change: Change) -> list[Reference]:
    """Everything a change touches, for the stream: services, environments, targets."""
    found: set[Reference] = set()
    for leg in current_legs(change):
        found |= {leg.service.reference, leg.environment.reference, leg.target.reference}
    for item in change.items.filter(is_current=True).select_related("service"):
        found.add(item.service.reference)
    return sorted(found)
