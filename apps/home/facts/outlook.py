"""What would come of a change if it were submitted as it is written now: who must agree, the risk, conflicts, the gate's answer.

Nothing is recorded and nothing is guessed: the gate judges its own facts with the written content in place of a stored one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from django.db.models import QuerySet

from apps.accounts.models import Person
from apps.approvals.facts import PolicyShelf, policy_rows, pre_approvals_for, review_facts
from apps.approvals.facts.people import people_about
from apps.approvals.rules import PolicyFacts, QuorumFacts, ReviewFacts, editor_of
from apps.catalog.models import Target
from apps.changes.content import Content, normal, part_bytes, part_digests
from apps.changes.facts import person_id, risk_in, risk_rows
from apps.changes.models import Change, ChangeModelVersion
from apps.changes.rules import Risk
from apps.changes.states import Kind, LegState, State
from apps.changes.steps.models import kind_of
from apps.core.canonical import digest
from apps.core.together import read_together
from apps.gate.gather import gather
from apps.gate.rules import Answer, LegFacts, Question, SlotFacts, Verdict, judge
from apps.home.facts.agreement import Agreement, Effect, agreement, effect_of_edit
from apps.schedule.facts import Conflict, Met, conflict_rows, conflicts_in, wall_rows, walls_met
from apps.schedule.models import Reservation, Slot
from apps.schedule.stretches import Stretch

MOST_PLACES, MOST_CONFLICTS = 12, 5
THIS = "this change"


@dataclass(frozen=True, slots=True)
class Place:
    """One service in one environment, and what the gate would say to it."""

    service: str
    environment: str
    verdict: Verdict | None  # None: as long as nothing says which version, there is nothing to ask

    @property
    def note(self) -> str:
        """The fact that weighs most, and its cure."""
        if self.verdict is None:
            return "Asked as soon as something says which version."
        if not self.verdict.findings:
            return "Nothing stands in the way."
        first = self.verdict.findings[0]
        return first.message if self.verdict.verdict is Answer.ALLOW else f"{first.message} {first.cure}".strip()

    @property
    def more_count(self) -> int:
        """How many findings there are beside the first."""
        return max(len(self.verdict.findings) - 1, 0) if self.verdict else 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """Everything beside the form."""

    at: datetime
    places: list[Place] = field(default_factory=list)
    unjudged_count: int = 0
    agreement: Agreement | None = None
    policies: list[str] = field(default_factory=list)
    risk: Risk | None = None
    conflicts: list[Conflict] = field(default_factory=list)
    conflicts_count: int = 0
    walls: list[Met] = field(default_factory=list)
    effect: Effect | None = None  # whose sign-offs would lapse and whose would stand, where there are some

    @property
    def several(self) -> bool:
        """Whether more than one service is named, so that each place says which."""
        return len({place.service for place in self.places}) > 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked at: readable content with the targets it names, by whom, for which change."""

    content: Content
    targets: list[Target]
    person: Person
    change: Change | None = None
    slot: tuple[datetime, datetime] | None = None
    model: ChangeModelVersion | None = None  # what it begins, or began, from
    is_emergency: bool = False  # as it was ticked, where there is no model

    @property
    def kind(self) -> str:
        """The kind of the change, or of the one that would begin."""
        if self.change is not None:
            return self.change.kind
        return Kind.EMERGENCY if self.is_emergency and self.model is None else kind_of(self.model)


def outlook(asked: Asked, *, now: datetime) -> Outlook:
    """Look at what is written; the number of statements grows with the places alone."""
    if not asked.targets:
        return Outlook(now)
    risks, policies = risk_rows(asked.content, now=now), policy_rows([target.environment_id for target in asked.targets])
    met, kept, rules = conflicts_asked(asked, now=now), slots_kept(asked), wall_rows(asked.targets, since=now)
    read_together(risks, policies, kept, rules, *(rows for both in met for rows in both))
    planned = planned_places(asked, kept)
    risk = risk_in(asked.content, risks)
    legs = quorums(asked, PolicyShelf(policies), points=risk.points)
    review = review_of(asked, legs, now=now)
    near = [*zip(asked.targets[:MOST_PLACES], legs, strict=False)]
    conflicts = sorted((one for both in met for one in conflicts_in(*both)), key=lambda conflict: conflict.starts_at)
    return Outlook(
        at=now,
        places=[
            Place(target.service.name, target.environment.name, judged_place(asked, target, leg, slot=planned.get(target.pk)))
            for target, leg in near
        ],
        unjudged_count=max(len(asked.targets) - MOST_PLACES, 0),
        agreement=agreement(review, now=now, starts=None if asked.change else {}),
        policies=sorted({f"{leg.policy.name}, version {leg.policy.number}" for leg in legs if leg.policy and leg.asks_somebody}),
        risk=risk,
        conflicts=conflicts[:MOST_CONFLICTS],
        conflicts_count=len(conflicts),
        walls=[one for target in asked.targets if (slot := planned.get(target.pk)) for one in walls_met(rules, target, planned=slot)],
        effect=effect_of(asked, review),
    )


def quorums(asked: Asked, shelf: PolicyShelf, *, points: int) -> list[QuorumFacts]:
    """The quorum facts of every place as they would be; what was signed already still counts where it covers what stays."""
    kind, digests = asked.kind, part_digests(part_bytes(asked.content))
    beforehand = pre_approvals_for(asked.model, normal(asked.content), asked.targets) if asked.model and kind == Kind.STANDARD else {}
    requester = asked.change.requester if asked.change else asked.person
    asker, typing = frozenset({person_id(requester)}), frozenset({person_id(asked.person)})
    known = {(leg.service_id, leg.environment): leg for leg in review_facts(asked.change).legs} if asked.change else {}
    first = next(iter(known.values()), None)
    written, made = (first.digests, first.hands) if first else ({}, {})
    before = asked.slot[0] if asked.slot else asked.content.period.not_after
    found = []
    for target in asked.targets:
        kept = known.get((target.service.public_id, target.environment.name))
        policy = shelf.find(environment_id=target.environment_id, service_id=target.service_id, kind=kind, risk=points)
        if kept is None or kept.policy != policy:
            leg = new_quorum(target, policy, kind=kind)
            kept = replace(leg, sign_offs=kept.sign_offs, leg_state=kept.leg_state, leg_id=kept.leg_id) if kept else leg
        said = beforehand.get(target.pk)
        edited = {editor_of(part): typing for part, now in digests.items() if written.get(part) != now}
        hands = with_hands(kept, {"requester": asker, **made, **edited})
        found.append(replace(kept, digests=digests, hands=hands, pre_approval=said, before=before))
    return found


def with_hands(kept: QuorumFacts, hands: Mapping[str, frozenset[UUID]]) -> Mapping[str, frozenset[UUID]]:
    """Who would have done what; whose commits these are is not read while somebody types."""
    return defaultdict(frozenset, {**kept.hands, **hands})


def new_quorum(target: Target, policy: PolicyFacts | None, *, kind: str) -> QuorumFacts:
    """The quorum facts of a place that no revision names yet, or under another policy."""
    people, mandates = people_about(target.service, policy=policy, kind=kind)
    return QuorumFacts(
        leg_id=uuid4(),
        target_id=target.public_id,
        service_id=target.service.public_id,
        service=target.service.name,
        environment=target.environment.name,
        required=target.environment.change_required,
        policy=policy,
        digests={},
        sign_offs=(),
        hands={},
        people=tuple(people.values()),
        settings={str(target.public_id): digest(bytes(target.settings.body))} if target.settings else {},
        mandates=mandates,
    )


def effect_of(asked: Asked, review: ReviewFacts) -> Effect | None:
    """What saving does to the sign-offs on what is saved; None where nobody signed that."""
    if asked.change is None or asked.change.revision is None:
        return None
    newest = asked.change.revision
    found = effect_of_edit(replace(review, revision=newest.number + 1), before=newest.part_digests)
    return found if found.lapsed or found.untouched else None


def review_of(asked: Asked, legs: Iterable[QuorumFacts], *, now: datetime) -> ReviewFacts:
    """The quorum facts as a review, for showing them."""
    return ReviewFacts(
        ref=asked.change.ref if asked.change else THIS,
        state=State.IN_REVIEW,
        revision=1,
        revision_digest="",
        revised_by=asked.person.name,
        revised_at=now,
        requester_id=person_id(asked.change.requester if asked.change else asked.person),
        legs=tuple(legs),
    )


def judged_place(asked: Asked, target: Target, leg: QuorumFacts, *, slot: Stretch | None) -> Verdict | None:
    """The gate's answer about a place to the change as it is written; None without a version."""
    item = next(item for item in asked.content.scope.items if item.service_id == target.service.public_id)
    question = Question(service=target.service.slug, environment=target.environment.slug, identities=item.identities)
    facts = gather(question).facts
    if not item.identities:
        return None
    written = LegFacts(
        pk=0,
        id=leg.leg_id,
        change_id=asked.change.public_id if asked.change else uuid4(),
        ref=asked.change.ref if asked.change else THIS,
        change_state=State.IN_REVIEW,
        state=LegState(leg.leg_state),
        failures=0,
        revision=asked.change.revision.number + 1 if asked.change and asked.change.revision else 1,
        revision_digest="",
        is_intact=True,
        identities=item.identities,
        label=item.label,
        period=asked.content.period,
        rollback=asked.content.rollback,
        slot=SlotFacts(slot.starts_at, slot.ends_at) if slot else None,
        quorum=leg,
    )
    return judge(replace(facts, legs=(written,), legs_cut=False, closed=()))


def conflicts_asked(asked: Asked, *, now: datetime) -> list[tuple[QuerySet[Reservation], QuerySet[Slot]]]:
    """What else has these services at the planned time, or where nothing is planned within the period."""
    period = asked.content.period
    starts_at, until = asked.slot or (period.not_before or now, period.not_after)
    services = {target.service_id: target.service for target in asked.targets}
    return [conflict_rows(service, starts_at=starts_at, until=until, besides=asked.change) for service in services.values()]


def last_places(targets: Iterable[Target]) -> list[Target]:
    """Of every service the highest rung: the one whose start is planned in the form."""
    found: dict[int, Target] = {}
    for target in targets:
        if target.service_id not in found or found[target.service_id].environment.rank < target.environment.rank:
            found[target.service_id] = target
    return [*found.values()]


def planned_places(asked: Asked, kept: Iterable[Slot]) -> dict[int, Stretch]:
    """When each place is planned, by its target's row: as the form says on the last rungs, as it is kept on the others."""
    last = {target.pk for target in last_places(asked.targets)}
    found = {slot.leg.target_id: Stretch(slot.starts_at, slot.ends_at) for slot in kept if slot.leg.target_id not in last}
    return found | ({pk: Stretch(*asked.slot) for pk in last} if asked.slot else {})


def slots_kept(asked: Asked) -> QuerySet[Slot]:
    """What is planned of the change that is edited."""
    slots = Slot.objects.select_related("leg").filter(leg__is_current=True)
    return slots.filter(leg__change=asked.change) if asked.change else slots.none()
