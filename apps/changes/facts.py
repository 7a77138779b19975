"""The queries that build the facts which the rules about changes decide on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Case, Count, Exists, JSONField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, JSONObject, Now

from apps.accounts.facts import standing_grants
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.accounts.steps import person_by_actor
from apps.catalog.facts import person_facts
from apps.catalog.grants import Grants, grants_of, roles_among
from apps.catalog.models import Arrival, Environment, Outcome, Service, Target
from apps.catalog.rules import seat_key
from apps.changes.content import PARTS, Content, content_from_bytes
from apps.changes.models import Change, ChangeModelProposal, Dependency, Item, Leg, Move, Revision
from apps.changes.rules import AGREEING, Asker, ChangeFacts, LegFacts, ModelProposalFacts, Place, Risk, RiskPlace, risk_of
from apps.changes.states import ENDED, LEG_AHEAD, LegState, State, values
from apps.core.actors import Actor
from apps.core.references import Reference

LOOKED_BACK = timedelta(days=30)
RAN = (Outcome.SUCCEEDED, Outcome.ADOPTED, Outcome.ROLLED_BACK, Outcome.LEFT)  # after these the version of the arrival is what runs
NOTHING_RAN = {"label": "", "identities": []}


@dataclass(frozen=True, slots=True)
class Places:
    """The rows that a content names, by public id; what is retired or unseen is not among them."""

    services: dict[UUID, Service]
    environments: dict[UUID, Environment]
    targets: dict[Place, Target]


def current_legs(change: Change) -> QuerySet[Leg]:
    """The legs the newest revision asks for, in the order of its items and of the ladder."""
    legs = change.legs.filter(is_current=True).select_related("item", "service", "environment", "target")
    return with_before(legs).order_by("item__position", "environment__rank", "pk")


def items_asked_by_name(change: Change | None) -> QuerySet[Item]:
    """The items of the newest revision whose commit was written as a branch or a tag."""
    return Item.objects.filter(change=change, is_current=True).exclude(asked_as="").select_related("service")


def with_before(legs: QuerySet[Leg]) -> QuerySet[Leg]:
    """Each leg with what it replaces: what runs now while it is still to come, what ran before it began once it did.

    A leg that never began stands at the end of its change. What the leg itself left there is not what it replaces; where
    nothing arrived since, what runs now is what ran then."""
    own = Move.objects.filter(leg=OuterRef("pk"), goal=LegState.STARTED)
    over = Move.objects.filter(change=OuterRef("change"), leg__isnull=True, goal__in=values(ENDED)).order_by("pk")
    began, at = Subquery(own.order_by("pk").values("at")[:1]), Subquery(own.order_by("-pk").values("at")[:1])
    ended = Subquery(over.values("at")[:1])
    there, left = Arrival.objects.filter(target=OuterRef("target"), outcome__in=RAN), {"identities": OuterRef("item__identities")}
    since = there.filter(Q(at__gte=OuterRef("as_of")) | Q(at__gte=OuterRef("began_at"), **left))
    earlier = there.filter(at__lt=OuterRef("as_of")).exclude(at__gte=OuterRef("began_at"), **left).order_by("-at", "-pk")
    before = earlier.values(said=JSONObject(label="label", identities="identities"))[:1]
    runs = JSONObject(label="target__running_label", identities="target__running_identities")
    is_ahead = Q(state__in=values(LEG_AHEAD)) & ~Q(change__state__in=values(ENDED))
    ran = Case(When(is_ahead | ~Exists(since), then=runs), default=Coalesce(Subquery(before), Value(NOTHING_RAN, output_field=JSONField())))
    return legs.alias(began_at=Coalesce(began, Now()), as_of=Coalesce(at, ended, Now())).annotate(before=ran)  # type: ignore[no-redef]


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


def asker_of(person: Person, services: Iterable[Service], *, grants: Grants | None = None) -> Asker:
    """A person, and the roles they have for every one of these services; where none is named, the roles they have anywhere."""
    given = grants_of(person.pk) if grants is None else grants
    held = frozenset(role for role, *_ in given)
    for service in services:
        held &= roles_among(given, service)
    return Asker(id=person_id(person), roles=held)


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
    return risk_in(content, risk_rows(content, now=now))


def risk_rows(content: Content, *, now: datetime) -> QuerySet[Target]:
    """The targets of the services it names, each with what the last thirty days brought there.

    Every release that went wrong has one failed arrival; the way back from it, or that it was left, is no second one."""
    recent = Q(arrivals__outcome=Outcome.FAILED, arrivals__at__gt=now - LOOKED_BACK, arrivals__at__lte=now)
    named = Target.objects.filter(service__public_id__in={item.service_id for item in content.scope.items})
    return named.select_related("service", "environment").annotate(failures_count=Count("arrivals", filter=recent)).order_by("pk")


def risk_in(content: Content, rows: Iterable[Target]) -> Risk:
    """The risk, of such rows."""
    return risk_of(content, places=risk_places(content, rows))


def risk_places(content: Content, rows: Iterable[Target]) -> tuple[RiskPlace, ...]:
    """The places that the content names and that exist."""
    wanted = {(item.service_id, each.id) for item in content.scope.items for each in item.environments}
    return tuple(
        RiskPlace(
            service_id=row.service.public_id,
            service=row.service.name,
            tier=row.service.tier,
            environment=row.environment.name,
            rank=row.environment.rank,
            change_required=row.environment.change_required,
            runs_something=bool(row.running_identities),
            failures_count=row.failures_count,  # type: ignore[attr-defined] # annotated above
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


def waiting_model_proposal(slug: str) -> ChangeModelProposal | None:
    """What is proposed for the model of this short name and not decided."""
    return ChangeModelProposal.objects.filter(slug=slug, decided_at__isnull=True).select_related("proposed_by").first()


def was_let_in(person: Person, proposal: ChangeModelProposal) -> bool:
    """Whether everything that lets somebody agree to a proposal was given by whoever proposed it, roles and account."""
    given, by = person_facts(person).given_by, proposal.proposed_by.merged_into or proposal.proposed_by
    seats = [givers for role in AGREEING for givers in given.get(seat_key("ROLE", role), ())]
    return bool(seats) and all(by.public_id in givers for givers in seats)


def model_proposal_facts(proposal: ChangeModelProposal) -> ModelProposalFacts:
    """One proposal as rules see it; model and proposer are read with it. Whoever was merged is who they are merged into."""
    by, model = proposal.proposed_by.merged_into or proposal.proposed_by, proposal.model
    return ModelProposalFacts(
        proposed_by=by.public_id,
        proposer=by.name,
        is_proposer_administrator=standing_grants().filter(person=by, role=Role.ADMINISTRATOR).exists(),
        is_decided=proposal.decided_at is not None,
        is_outdated=model is not None and (model.version_id != proposal.replaces_id or model.retired_at is not None),
    )
