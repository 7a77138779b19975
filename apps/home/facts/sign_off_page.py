"""Everything an approver needs before a decision, and the exact statement it would sign. Looking signs and records nothing."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.accounts.models import Person
from apps.approvals.facts import review_facts
from apps.approvals.models import Decision
from apps.approvals.rules import (
    ReviewFacts,
    Seat,
    SignOffFacts,
    group_words,
    open_seats,
    own_sign_offs,
    seats_for,
    stands,
    why_not_approve,
    why_not_reject,
)
from apps.approvals.statement import statement_bytes
from apps.approvals.steps import Decided, drafted_statement
from apps.catalog.models import Arrival, Outcome
from apps.catalog.settings_body import read_settings
from apps.changes.content import PARTS
from apps.changes.facts import content_of
from apps.changes.models import Change, Revision
from apps.core.canonical import canonical_bytes
from apps.core.refusals import Refusal
from apps.deployments.models import Deployment
from apps.gate.rules import Finding
from apps.home.facts.agreement import Agreement, agreement
from apps.home.facts.change_page import newest_of
from apps.home.facts.comparing import Comparison, compare, revision_numbered
from apps.home.facts.ladder import Rung, ladder
from apps.home.facts.telling import Told, listed, told_content

# What a signature itself cures is not told as an obstacle to it.
ABOUT_SIGNING = frozenset({"approval", "signature", "settings"})
FAILURES = 5
# Nobody can know these before the button is pressed; everything else is signed as it is shown.
FILLED_IN = {"at": "the moment you sign", "decision": "what you choose", "nonce": "a random number", "reason": "what you write below"}


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
    statement: list[tuple[str, bool]]  # the members of the signed bytes; True: filled in when it is signed
    is_solo: bool


@dataclass(frozen=True, slots=True)
class SignOffPage:
    """The whole page."""

    change: Change
    revision: Revision
    told: Told
    reaches: list[Reach]
    since: Comparison | None
    own: SignOffFacts | None
    lapsed: bool
    obstacles: list[Obstacles]
    failures: list[Failure]
    agreement: Agreement
    asked: Asked | None
    approve: Refusal | None
    reject: Refusal | None

    @property
    def word(self) -> str:
        """What the button says: after a lapse the same verb re-affirms."""
        return "Re-affirm" if self.lapsed else "Approve"

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be decided here."""
        return self.approve is not None and self.reject is not None


def sign_off_page(change: Change, person: Person, *, now: datetime, seen: Revision | None = None) -> SignOffPage:
    """The page for one person; `seen` is the revision they had before them when an answer came too late."""
    revision, review = newest_of(change), review_facts(change)
    rungs, own = ladder(change, person=person), next(iter(own_sign_offs(review, by=person.public_id)), None)
    content = content_of(revision)
    older = seen or (revision_numbered(change, own.revision) if own else None)
    digest, agreed = revision.digest, agreement(review, now=now)
    return SignOffPage(
        change=change,
        revision=revision,
        told=told_content(content, legs=[rung.leg for rung in rungs]),
        reaches=[reach for rung in rungs if (reach := reach_of(rung, way_back=content.rollback.way_back_seconds))],
        since=compare(older, revision, signed=agreed.signed) if older and older.pk != revision.pk else None,
        own=own,
        lapsed=own is not None and own.decision == Decision.APPROVE and not stands(own.covered, digests=revision.part_digests),
        obstacles=[found for rung in rungs if (found := obstacles(rung)).findings],
        failures=failures_of(rungs),
        agreement=agreed,
        asked=asked_of(change, revision, review, person=person, now=now),
        approve=why_not_approve(review, revision_digest=digest, by=person.actor),
        reject=why_not_reject(review, revision_digest=digest, by=person.actor),
    )


def asked_of(change: Change, revision: Revision, review: ReviewFacts, *, person: Person, now: datetime) -> Asked | None:
    """What this person would sign; None for somebody whom no rule asks."""
    seats = open_seats(review, by=person.public_id) or seats_for(review, by=person.public_id)
    if not seats:
        return None
    meaning = seats[0].rule.meaning
    decided = Decided(person, Decision.APPROVE, meaning, seats)
    body = statement_bytes(drafted_statement(change, revision, decided=decided, by=person.actor, at=now))
    covers = [part for part in PARTS if any(part in seat.rule.parts for seat in seats)]
    return Asked(
        seats=seats,
        rules=rule_lines(seats),
        covers=covers,
        covers_words=listed(covers),
        meaning=meaning.lower(),
        as_whom=listed(sorted({group_words(seat.rule.group, service=seat.leg.service) for seat in seats})),
        places=listed(sorted({f"{seat.leg.service} in {seat.leg.environment}" for seat in seats})),
        statement=in_lines(body),
        is_solo=person.public_id == review.requester_id,
    )


def rule_lines(seats: Iterable[Seat]) -> list[dict[str, object]]:
    """Each rule that is spoken for, once, with its place."""
    return [
        {"label": seat.rule.label, "place": f"{seat.leg.service} in {seat.leg.environment}", "state": str(seat.state)} for seat in seats
    ]


def in_lines(body: bytes) -> list[tuple[str, bool]]:
    """The members of a statement one to a line, as they stand in the bytes, and whether a line is filled in only at signing."""
    members = json.loads(body)
    return [(member(key, FILLED_IN.get(key) or canonical_bytes(members[key]).decode()), key in FILLED_IN) for key in sorted(members)]


def member(key: str, value: str) -> str:
    """One member of the statement as it is written."""
    return f'"{key}":{value}'


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


def failures_of(rungs: Iterable[Rung]) -> list[Failure]:
    """The last arrivals of these services that failed or were rolled back, anywhere."""
    services = {rung.leg.service_id for rung in rungs}
    rows = Arrival.objects.filter(target__service__in=services, outcome__in=[Outcome.FAILED, Outcome.ROLLED_BACK])
    found = list(rows.select_related("target__service", "target__environment").order_by("-at", "-pk")[:FAILURES])
    ids = [arrival.caused_by.removeprefix("deployment:") for arrival in found if arrival.caused_by.startswith("deployment:")]
    by_id = {str(order.public_id): order for order in Deployment.objects.filter(public_id__in=ids)}
    return [Failure(arrival, by_id.get(arrival.caused_by.removeprefix("deployment:"))) for arrival in found]
