"""Everything an approver needs before a decision, and the exact statement it would sign. Looking signs and records nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse

from apps.accounts.factors import means_in, means_rows
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.facts import review_facts
from apps.approvals.models import Decision, Look, SignOff
from apps.approvals.rules import (
    ReviewFacts,
    RuleState,
    Seat,
    SignOffFacts,
    group_words,
    open_seats,
    own_sign_offs,
    seats_for,
    stands,
    why_not_approve,
    why_not_reject,
    why_not_send_back,
)
from apps.approvals.steps import signer, why_not_proved
from apps.catalog.models import Arrival, Outcome
from apps.catalog.settings_body import read_settings
from apps.changes.content import PARTS
from apps.changes.facts import content_of, risk_in, risk_rows
from apps.changes.mentions import called_rows
from apps.changes.models import Change, Revision
from apps.changes.readings import reading_rows
from apps.changes.rules import Asker, Risk
from apps.core.refusals import Refusal
from apps.deployments.models import Deployment
from apps.gate.rules import Finding
from apps.home.facts.agreement import Agreement, agreement
from apps.home.facts.change_page import newest_of
from apps.home.facts.comparing import Comparison, compare
from apps.home.facts.discussing import Discussion, comment_rows, discussion_in
from apps.home.facts.evidence import EvidenceBoard, evidence_board, uploads_of
from apps.home.facts.gathering import change_rows
from apps.home.facts.ladder import Rung, ladder
from apps.home.facts.telling import Told, listed, told_content
from apps.home.facts.version import PassageShown, stored_passages

# What a signature itself cures is not told as an obstacle to it.
ABOUT_SIGNING = frozenset({"approval", "signature", "settings"})
FAILURES = 5
TOO_WEAK = frozenset({"two_factors_required", "passkey_required", "no_means"})


@dataclass(frozen=True, slots=True)
class Reach:
    """When a planned leg begins and how far it reaches."""

    place: str
    starts_at: datetime
    deploy: timedelta
    bake: timedelta
    way_back: timedelta


@dataclass(frozen=True, slots=True)
class Obstacles:
    """What else the gate has to say about one place: freezes, holds, reservations, the ladder."""

    place: str
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class Failure:
    """An arrival of this service that did not go well."""

    arrival: Arrival
    deployment: Deployment | None

    @property
    def word(self) -> str:
        """What became of it."""
        return "Rolled back to" if self.arrival.outcome == Outcome.ROLLED_BACK else "Failed"

    @property
    def icon(self) -> str:
        """The mark beside the word."""
        return "arrow-back-up" if self.arrival.outcome == Outcome.ROLLED_BACK else "circle-x"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is asked for: the rules they speak for, the parts a signature covers, and the words of it."""

    seats: tuple[Seat, ...]
    rules: list[dict[str, object]]
    covers: list[str]
    meaning: str
    as_whom: str
    places: str
    covers_words: str
    is_solo: bool

    @property
    def is_met(self) -> bool:
        """Whether others have agreed for every rule this person may speak for."""
        return all(seat.state is RuleState.AGREED for seat in self.seats)


@dataclass(frozen=True, slots=True)
class SignOffPage:
    """The whole page."""

    change: Change
    revision: Revision
    told: Told
    reaches: list[Reach]
    since: Comparison | None
    looked_at: datetime | None  # when the older revision of `since` was looked at; none: it was signed
    own: SignOffFacts | None
    lapsed: bool
    obstacles: list[Obstacles]
    failures: list[Failure]
    evidence: EvidenceBoard
    ways: list[PassageShown]  # the commits and files between what runs and what is asked for
    risk: Risk
    agreement: Agreement
    asked: Asked | None
    approve: Refusal | None
    reject: Refusal | None
    can_send_back: bool
    discussion: Discussion

    @property
    def word(self) -> str:
        """What the button says: after a lapse the same verb re-affirms."""
        return "Re-affirm" if self.lapsed else "Approve"

    @property
    def way_to_enrol(self) -> str:
        """Where somebody whose proof is too weak for the policy adds a stronger one, and comes back."""
        if self.approve is None or self.approve.code not in TOO_WEAK:
            return ""
        return f"{reverse('accounts:factors')}?{urlencode({'next': reverse('home:sign_off', args=[self.change.ref])})}"

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be decided here."""
        return self.approve is not None and self.reject is not None


def sign_off_page(change: Change, person: Person, *, now: datetime, seen: Revision | None = None) -> SignOffPage:
    """The page for one person; `seen` is the revision they had before them when an answer came too late."""
    revision = newest_of(change)
    content, digest = content_of(revision), revision.digest
    looks, arrivals, means = look_rows(change, person), failure_rows(change), means_rows(person)
    risks, uploads, readings = risk_rows(content, now=now), uploads_of(change), reading_rows(revision)
    called, comments = called_rows(content.story.told), comment_rows(change)
    rows = change_rows(
        change, person, beside=(looks, arrivals, *means, risks, uploads, *readings.all, called.people, called.teams, comments)
    )
    review, looked = review_facts(change, rows=rows.review), next(iter(looks), None)
    rungs, own = ladder(change, person=person, rows=rows), next(iter(own_sign_offs(review, by=person.public_id)), None)
    older = seen or last_seen(rows.sign_offs, own=own, look=looked)
    by, agreed = signer(person, means_in(person, *means)), agreement(review, now=now, starts=rows.starts)
    return SignOffPage(
        change=change,
        revision=revision,
        told=told_content(content, legs=[rung.leg for rung in rungs], called=called),
        reaches=[reach for rung in rungs if (reach := reach_of(rung, way_back=content.rollback.way_back_seconds))],
        since=compare(older, revision, signed=agreed.signed) if older and older.pk != revision.pk else None,
        looked_at=looked.looked_at if looked and older and looked.revision_id == older.pk else None,
        own=own,
        lapsed=own is not None and own.decision == Decision.APPROVE and not stands(own.covered, digests=revision.part_digests),
        obstacles=[found for rung in rungs if (found := obstacles(rung)).findings],
        failures=failures_in(arrivals),
        evidence=evidence_board(change, revision, person, by=rows.asker(person), legs=rows.legs, uploads=uploads),
        ways=stored_passages(change, rows.legs, rows=readings),
        risk=risk_in(content, risks),
        agreement=agreed,
        asked=asked_of(review, person=person),
        approve=why_not_approve(review, revision_digest=digest, by=by) or why_not_proved(by),
        reject=why_not_reject(review, revision_digest=digest, by=by) or why_not_proved(by),
        can_send_back=can_send_back(review, person, rows.asker(person)),
        discussion=discussion_in([*comments]),
    )


def can_send_back(review: ReviewFacts, person: Person, by: Asker) -> bool:
    """Whether the person may ask the requester for more."""
    is_manager = Role.RELEASE_MANAGER in by.roles
    return why_not_send_back(review, by=person.actor, is_release_manager=is_manager) is None


def look_rows(change: Change, person: Person) -> QuerySet[Look]:
    """What the person had before them last."""
    return Look.objects.filter(change=change, person=person).select_related("revision__author")[:1]


def last_seen(sign_offs: Iterable[SignOff], *, own: SignOffFacts | None, look: Look | None) -> Revision | None:
    """The newest revision that the person has signed or looked at."""
    if look is not None and (own is None or look.revision.number >= own.revision):
        return look.revision
    return next((one.revision for one in sign_offs if own and one.public_id == own.id), None)


def asked_of(review: ReviewFacts, *, person: Person) -> Asked | None:
    """What this person would sign; None for somebody whom no rule asks."""
    seats = open_seats(review, by=person.public_id) or seats_for(review, by=person.public_id)
    if not seats:
        return None
    covers = [part for part in PARTS if any(part in seat.rule.parts for seat in seats)]
    return Asked(
        seats=seats,
        rules=rule_lines(seats),
        covers=covers,
        covers_words=listed(covers),
        meaning=seats[0].rule.meaning.lower(),
        as_whom=listed(sorted({as_whom(seat) for seat in seats})),
        places=listed(sorted({f"{seat.leg.service} in {seat.leg.environment}" for seat in seats})),
        is_solo=person.public_id == review.requester_id,
    )


def as_whom(seat: Seat) -> str:
    """As whom one signs: in one's own right, or in the place of somebody."""
    group = group_words(seat.rule.group, service=seat.leg.service)
    return f"in the place of {seat.stands_for.name}, {group}" if seat.stands_for else group


def rule_lines(seats: Iterable[Seat]) -> list[dict[str, object]]:
    """Each rule that is spoken for, once, with its place."""
    return [
        {"label": seat.rule.label, "place": f"{seat.leg.service} in {seat.leg.environment}", "state": str(seat.state)} for seat in seats
    ]


def reach_of(rung: Rung, *, way_back: int) -> Reach | None:
    """How far a planned leg reaches, by the settings of its target."""
    settings = rung.leg.target.settings
    if rung.slot is None or settings is None or not rung.is_asked:
        return None
    read = read_settings(bytes(settings.body))
    spans = (read.deploy_seconds, read.bake_seconds, way_back)
    return Reach(rung.place, rung.slot.starts_at, *(timedelta(seconds=seconds) for seconds in spans)) if any(spans) else None


def obstacles(rung: Rung) -> Obstacles:
    """What the gate finds beside the signatures."""
    found = rung.verdict.findings if rung.verdict else ()
    return Obstacles(rung.place, [one for one in found if one.rule not in ABOUT_SIGNING])


def failure_rows(change: Change) -> QuerySet[Arrival]:
    """The last arrivals of its services that failed or were rolled back, anywhere."""
    services = change.legs.filter(is_current=True).values("service")
    rows = Arrival.objects.filter(target__service__in=services, outcome__in=[Outcome.FAILED, Outcome.ROLLED_BACK])
    return rows.select_related("target__service", "target__environment").order_by("-at", "-pk")[:FAILURES]


def failures_in(found: Iterable[Arrival]) -> list[Failure]:
    """Each of such arrivals with the deployment that brought it; a statement where there are any."""
    ids = [arrival.caused_by.removeprefix("deployment:") for arrival in found if arrival.caused_by.startswith("deployment:")]
    by_id = {str(order.public_id): order for order in Deployment.objects.filter(public_id__in=ids)}
    return [Failure(arrival, by_id.get(arrival.caused_by.removeprefix("deployment:"))) for arrival in found]
