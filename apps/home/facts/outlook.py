"""What would come of a change if it were submitted as it is written now: who must agree, the risk, conflicts, the gate's answer.

Nothing is recorded and nothing is guessed: the gate judges its own facts with the written content in place of a stored one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from apps.accounts.models import Person
from apps.approvals.facts import policies_for, review_facts
from apps.approvals.facts.people import people_about
from apps.approvals.rules import PolicyFacts, QuorumFacts, ReviewFacts
from apps.catalog.models import Target
from apps.changes.content import Content, part_bytes, part_digests
from apps.changes.facts import person_id, risk_now
from apps.changes.models import Change
from apps.changes.rules import Risk
from apps.changes.states import Kind, LegState, State
from apps.core.canonical import digest
from apps.gate.gather import gather
from apps.gate.rules import Answer, CalendarFacts, Facts, LegFacts, Question, SlotFacts, Verdict, judge
from apps.home.facts.agreement import Agreement, agreement
from apps.schedule.facts import Conflict, conflicts_of

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
class Walled:
    """A freeze that meets the planned time."""

    title: str
    environment: str
    starts_at: datetime
    ends_at: datetime


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
    walls: list[Walled] = field(default_factory=list)

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


def outlook(asked: Asked, *, now: datetime) -> Outlook:
    """Look at what is written; the number of statements grows with the places alone."""
    if not asked.targets:
        return Outlook(now)
    risk = risk_now(asked.content, now=now)
    legs = quorums(asked, points=risk.points)
    judged = [(target, *judged_place(asked, target, leg)) for target, leg in zip(asked.targets[:MOST_PLACES], legs, strict=False)]
    conflicts = conflicts_met(asked, now=now)
    return Outlook(
        at=now,
        places=[Place(target.service.name, target.environment.name, verdict) for target, _, verdict in judged],
        unjudged_count=max(len(asked.targets) - MOST_PLACES, 0),
        agreement=agreement(review_of(asked, legs, now=now), now=now),
        policies=sorted({f"{leg.policy.name}, version {leg.policy.number}" for leg in legs if leg.policy and leg.required == "APPROVED"}),
        risk=risk,
        conflicts=conflicts[:MOST_CONFLICTS],
        conflicts_count=len(conflicts),
        walls=walls_met(asked, ((target, facts) for target, facts, _ in judged)),
    )


def quorums(asked: Asked, *, points: int) -> list[QuorumFacts]:
    """The quorum facts of every place as they would be; what was signed already still counts where it covers what stays."""
    shelf, kind = policies_for({target.environment for target in asked.targets}), asked.change.kind if asked.change else Kind.NORMAL
    digests = part_digests(part_bytes(asked.content))
    requester = asked.change.requester if asked.change else asked.person
    hands = {"requester": frozenset({person_id(requester)}), "last_editor": frozenset({person_id(asked.person)})}
    known = {(leg.service_id, leg.environment): leg for leg in review_facts(asked.change).legs} if asked.change else {}
    before = asked.slot[0] if asked.slot else asked.content.period.not_after
    found = []
    for target in asked.targets:
        kept = known.get((target.service.public_id, target.environment.name))
        policy = shelf.find(environment_id=target.environment_id, service_id=target.service_id, kind=kind, risk=points)
        if kept is None or kept.policy != policy:
            leg = new_quorum(target, policy, kind=kind)
            kept = replace(leg, sign_offs=kept.sign_offs, leg_state=kept.leg_state, leg_id=kept.leg_id) if kept else leg
        found.append(replace(kept, digests=digests, hands=with_hands(kept, hands), before=before))
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


def judged_place(asked: Asked, target: Target, leg: QuorumFacts) -> tuple[Facts, Verdict | None]:
    """The gate's facts about a place, and its answer to the change as it is written."""
    item = next(item for item in asked.content.scope.items if item.service_id == target.service.public_id)
    question = Question(service=target.service.slug, environment=target.environment.slug, identities=item.identities)
    facts = gather(question).facts
    if not item.identities:
        return facts, None
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
        slot=SlotFacts(*asked.slot) if asked.slot else None,
        quorum=leg,
    )
    return facts, judge(replace(facts, legs=(written,), legs_cut=False, closed=()))


def conflicts_met(asked: Asked, *, now: datetime) -> list[Conflict]:
    """What else has these services at the planned time, or where nothing is planned within the period."""
    period = asked.content.period
    starts_at, until = asked.slot or (period.not_before or now, period.not_after)
    services = {target.service_id: target.service for target in asked.targets}
    found = [one for service in services.values() for one in conflicts_of(service, starts_at=starts_at, until=until, besides=asked.change)]
    return sorted(found, key=lambda conflict: conflict.starts_at)


def walls_met(asked: Asked, judged: Iterable[tuple[Target, Facts]]) -> list[Walled]:
    """The freezes that the planned time runs into, as the gate knows them."""
    if asked.slot is None:
        return []
    starts_at, until = asked.slot
    return [
        Walled(wall.title, target.environment.name, wall.starts_at, wall.ends_at)
        for target, facts in judged
        for wall in facts.calendar
        if is_in_the_way(wall, starts_at, until) and wall.starts_at and wall.ends_at
    ]


def is_in_the_way(wall: CalendarFacts, starts_at: datetime, until: datetime) -> bool:
    """Whether a freeze meets a stretch of time."""
    return wall.kind == "FREEZE" and bool(wall.starts_at and wall.ends_at and wall.starts_at < until and wall.ends_at > starts_at)
