"""Exceptions as pages show them: what would be lifted, who could agree, where one stands, what teams owe."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from apps.accounts.factors import Means, means_of
from apps.accounts.models import Person
from apps.approvals.exception_statement import AGREE, ASK, ExceptionStatement, exception_challenge, read_exception
from apps.approvals.facts import (
    Judged,
    agreers_of,
    debtors_of,
    excepted_leg,
    exception_facts,
    judged,
    place_of,
    waiting_exceptions,
)
from apps.approvals.models import LegException
from apps.approvals.rules import (
    LIFTABLE,
    PASSKEY,
    PASSWORD_AND_CODE,
    ExceptionKind,
    ExceptionState,
    Given,
    state_of,
    void_words,
    why_not_agree_exception,
    why_not_ask_exception,
    why_not_refuse_exception,
    why_not_review_exception,
    why_not_withdraw_exception,
    why_void,
)
from apps.approvals.statement import GOOD_FOR
from apps.approvals.steps import signer
from apps.audit.stream import entries_about
from apps.catalog.facts import person_facts
from apps.changes.access import changes_for
from apps.changes.models import Leg
from apps.core.refusals import Refusal
from apps.deployments.models import Deployment
from apps.gate.judgement import verdict_now
from apps.gate.rules import Finding, Verdict
from apps.home.facts.exception_ways import Way, in_the_way, passed_by, stays_after, ways_of, why_no_way
from apps.home.facts.naming import told
from apps.home.facts.signing_panel import passkey_options
from apps.home.facts.stating import lines_of

WORDS: Mapping[ExceptionState, tuple[str, str, str]] = {
    ExceptionState.WAITING: ("wait", "hourglass", "Waits for a second person"),
    ExceptionState.LIVE: ("go", "bolt", "In force"),
    ExceptionState.VOID: ("stop", "ban", "Does not count"),
    ExceptionState.ENDED: ("mute", "clock", "Ended"),
    ExceptionState.REFUSED: ("stop", "circle-x", "Refused"),
    ExceptionState.WITHDRAWN: ("mute", "circle-minus", "Withdrawn"),
    ExceptionState.LAPSED: ("mute", "clock", "Nobody decided"),
    ExceptionState.USED: ("mute", "circle-check", "Used"),
}


@dataclass(frozen=True, slots=True)
class Asking:
    """What the page on which an exception is asked for shows."""

    leg: Leg
    place: str
    verdict: Verdict
    refusal: Refusal | None
    second: list[str]
    ways: list[Way]
    given: tuple[Given, ...]  # what this place was given of late

    @property
    def nth(self) -> str:
        """Which one it would be for this place, where it is not the first."""
        return nth_words(len(self.given) + 1)

    @property
    def liftable(self) -> list[tuple[str, str, list[Finding]]]:
        """The rules that can be named, with what each of them finds now."""
        found = in_the_way(self.verdict)
        return [(rule, title, [one for one in found if passed_by(one, {rule})]) for rule, title in LIFTABLE.items()]

    @property
    def in_the_way(self) -> list[str]:
        """Those of them that stand in the way now."""
        return [rule for rule, _, found in self.liftable if found]


@dataclass(frozen=True, slots=True)
class Told:
    """One exception with where it stands, in words."""

    one: LegException
    state: ExceptionState
    why: str  # why it does not count
    cure: str
    used_by: str = ""  # the deployments that relied on it
    is_proved: bool = True  # what is not owes nothing and is counted for nobody

    @property
    def badge(self) -> dict[str, str]:
        """Tone, icon and word."""
        tone, icon, word = WORDS[self.state]
        by = f" by {self.used_by}" if self.used_by and self.state is ExceptionState.USED else ""
        return {"tone": tone, "icon": icon, "word": f"{word}{by}"}

    @property
    def kind(self) -> str:
        """The kind in words."""
        return ExceptionKind(self.one.kind).label

    @property
    def lifts(self) -> list[str]:
        """What it passes, in words."""
        titles = [LIFTABLE[rule] for rule in LIFTABLE if rule in self.one.lifts]
        return titles or [ExceptionKind(self.one.kind).text]

    @property
    def owes_review(self) -> bool:
        """Whether its review is still to be written."""
        return self.one.agreed_at is not None and self.one.reviewed_at is None


@dataclass(frozen=True, slots=True)
class ExceptionPage:
    """One exception: what both persons see."""

    told: Told
    place: str
    verdict: Verdict | None
    stays: list[Finding]  # what it leaves in the way
    nth: str
    asked: list[str]  # the lines of the first statement
    agreed: list[str]
    verbs: Mapping[str, Refusal | None]
    entries: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class ExceptionPanel:
    """One statement of an exception, ready to be read and signed."""

    said: ExceptionStatement
    data: bytes
    lines: list[str]
    lifts: list[str]
    good_until: datetime
    means: Means
    asked: str  # what the browser asks a passkey for, as JSON

    @property
    def is_agreement(self) -> bool:
        """Whether it is the second one."""
        return self.said.act == AGREE

    @property
    def is_by_passkey(self) -> bool:
        """Whether a passkey signs it."""
        return self.said.by.get("credential") == PASSKEY

    @property
    def needs_code(self) -> bool:
        """Whether a code of the authenticator app is asked for beside the password."""
        return self.said.by.get("credential") == PASSWORD_AND_CODE


def asking_page(leg: Leg, person: Person, *, now: datetime) -> Asking:
    """What stands in the way now, what each kind would pass of it, and why this person cannot ask for an exception."""
    facts, place, verdict = person_facts(person, leg.service), excepted_leg(leg, now=now), verdict_now(leg)
    ways = ways_of(leg, verdict, waiting=place.waiting)
    refusal = why_not_ask_exception(place, kind="", person=facts, by=signer(person)) or why_no_way(leg, ways)
    second = [one.name for one in agreers_of(leg) if one.public_id != facts.canonical_id]
    return Asking(leg, place_of(leg), verdict, refusal, second, ways, place.given)


def exception_page(one: LegException, person: Person, *, now: datetime) -> ExceptionPage:
    """Where it stands, what the gate says now, and what this person may do about it."""
    leg, facts = excepted_leg(one.leg, now=now), exception_facts(one, now=now)
    state, by, me = state_of(facts, leg=leg, now=now), signer(person), person_facts(person, one.leg.service)
    said = {signature.act: lines_of(bytes(signature.statement)) for signature in one.signatures.all() if facts.signature_ok}
    verdict = verdict_now(one.leg) if state in {ExceptionState.WAITING, ExceptionState.LIVE} else None
    return ExceptionPage(
        told=_told(Judged(one, facts, leg, state, why_void(facts, leg=leg, now=now)), uses_of([one])),
        place=place_of(one.leg),
        verdict=verdict,
        stays=stays_after(verdict, kind=one.kind, lifts=one.lifts) if verdict else [],
        nth=nth_words(len(leg.given) + 1) if state is ExceptionState.WAITING else "",
        asked=said.get(ASK, []),
        agreed=said.get(AGREE, []),
        verbs={
            "agree": why_not_agree_exception(facts, leg=leg, person=me, by=by, now=now),
            "refuse": why_not_refuse_exception(facts, leg=leg, person=me, by=by),
            "withdraw": why_not_withdraw_exception(facts, leg=leg, person=me, by=by, now=now),
            "review": why_not_review_exception(facts, leg=leg, person=me, debtors=debtors_of(one, person), by=by, now=now),
        },
        entries=told(entries_about(one.reference, limit=50)),
    )


def nth_words(number: int) -> str:
    """Which one of a place within 24 hours, where it is not the first."""
    endings = {2: "2nd", 3: "3rd"}
    return f"{endings.get(number, f'{number}th')} for this place within 24 hours" if number > 1 else ""


def panel_of_exception(person: Person, data: bytes) -> ExceptionPanel:
    """Tell a statement of ours from the bytes that are signed."""
    said = read_exception(data)
    by_passkey = said.by.get("credential") == PASSKEY
    return ExceptionPanel(
        said=said,
        data=data,
        lines=lines_of(data),
        lifts=[LIFTABLE[rule] for rule in said.lifts] or [ExceptionKind(said.kind).text],
        good_until=said.at + GOOD_FOR,
        means=means_of(person),
        asked=json.dumps(passkey_options(person, exception_challenge(data))) if by_passkey else "",
    )


def told_exceptions(found: Iterable[LegException], *, now: datetime) -> list[Told]:
    """Exceptions as lists show them, each judged; no statement where there is none."""
    rows = judged(found, now=now)
    uses = uses_of([one.one for one in rows])
    return [_told(one, uses) for one in rows]


def uses_of(found: Collection[LegException]) -> dict[int, list[str]]:
    """The deployments that were ordered for each one's place while it was in force, by its row."""
    agreed = [one for one in found if one.agreed_at and one.ends_at]
    if not agreed:
        return {}
    orders = Deployment.objects.filter(leg__in={one.leg_id for one in agreed}, undoes__isnull=True).order_by("pk")
    begun = [(order.leg_id, order.begun_at, order.ref) for order in orders]
    return {
        one.pk: [
            ref
            for leg, at, ref in begun
            if leg == one.leg_id and at and one.agreed_at and one.ends_at and one.agreed_at <= at < one.ends_at
        ]
        for one in agreed
    }


def exceptions_waiting_for(person: Person, *, now: datetime) -> list[LegException]:
    """The exceptions that wait for a second person and that this one may agree to, the oldest first."""
    asked = waiting_exceptions(now=now).exclude(asked_by=person.pk).filter(leg__change__in=changes_for(person))
    by = replace(person.actor, credential=PASSKEY)  # who has to enrol one is asked all the same
    return [
        one.one
        for one in judged(asked.order_by("pk"), now=now)
        if one.is_waiting
        and not why_not_agree_exception(
            one.facts,
            leg=excepted_leg(one.one.leg, now=now),
            person=person_facts(person, one.one.leg.service),
            by=by,
            now=now,
        )
    ]


def _told(one: Judged, uses: Mapping[int, Sequence[str]]) -> Told:
    why, cure = void_words(one.facts, one.void) if one.state is ExceptionState.VOID and one.void else ("", "")
    return Told(one.one, one.state, why, cure, ", ".join(uses.get(one.one.pk, ())), one.facts.signature_ok)
