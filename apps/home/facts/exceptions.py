"""Exceptions as pages show them: what would be lifted, who could agree, where one stands, what teams owe."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from apps.accounts.access import is_member
from apps.accounts.factors import Means, means_of
from apps.accounts.models import Person
from apps.approvals.exception_statement import AGREE, ASK, ExceptionStatement, exception_challenge, read_exception
from apps.approvals.facts import (
    agreers_of,
    excepted_leg,
    exception_facts,
    exceptions_facts,
    place_of,
    waiting_exceptions,
)
from apps.approvals.models import LegException
from apps.approvals.rules import (
    ASK_HOLDS,
    LIFTABLE,
    PASSKEY,
    PASSWORD_AND_CODE,
    ExceptionFacts,
    ExceptionKind,
    ExceptionState,
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
from apps.gate.judgement import verdict_now
from apps.gate.rules import Effect, Finding, Verdict
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
}


@dataclass(frozen=True, slots=True)
class Asking:
    """What the page on which an exception is asked for shows."""

    leg: Leg
    place: str
    verdict: Verdict
    refusal: Refusal | None
    second: list[str]

    @property
    def liftable(self) -> list[tuple[str, str, list[Finding]]]:
        """The rules that can be named, with what each of them finds now."""
        findings = self.verdict.findings
        return [
            (rule, title, [one for one in findings if one.rule == rule and one.effect is not Effect.WARN])
            for rule, title in LIFTABLE.items()
        ]

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

    @property
    def badge(self) -> dict[str, str]:
        """Tone, icon and word."""
        tone, icon, word = WORDS[self.state]
        return {"tone": tone, "icon": icon, "word": word}

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
    """What stands in the way now, and why this person cannot ask for an exception."""
    facts = person_facts(person, leg.service)
    refusal = why_not_ask_exception(excepted_leg(leg, now=now), kind="", person=facts, by=signer(person))
    second = [one.name for one in agreers_of(leg) if one.public_id != facts.canonical_id]
    return Asking(leg, place_of(leg), verdict_now(leg), refusal, second)


def exception_page(one: LegException, person: Person, *, now: datetime) -> ExceptionPage:
    """Where it stands, what the gate says now, and what this person may do about it."""
    leg, facts, by, me = (
        excepted_leg(one.leg, now=now),
        exception_facts(one, now=now),
        signer(person),
        person_facts(person, one.leg.service),
    )
    state, of_team = state_of(facts, leg=leg, now=now), is_member(person, one.team)
    said = {signature.act: lines_of(bytes(signature.statement)) for signature in one.signatures.all() if facts.signature_ok}
    return ExceptionPage(
        told=_told(one, facts, state, code=why_void(facts, leg=leg, now=now)),
        place=place_of(one.leg),
        verdict=verdict_now(one.leg) if state in {ExceptionState.WAITING, ExceptionState.LIVE} else None,
        asked=said.get(ASK, []),
        agreed=said.get(AGREE, []),
        verbs={
            "agree": why_not_agree_exception(facts, leg=leg, person=me, by=by, now=now),
            "refuse": why_not_refuse_exception(facts, leg=leg, person=me, by=by),
            "withdraw": why_not_withdraw_exception(facts, person=me, by=by, now=now),
            "review": why_not_review_exception(facts, person=me, is_of_team=of_team, team=one.team.name, by=by),
        },
        entries=told(entries_about(one.reference, limit=50)),
    )


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


def told_exceptions(found: Collection[LegException], *, now: datetime) -> list[Told]:
    """The exceptions of a change for its page; no statement where there is none."""
    facts = exceptions_facts(found, now=now)
    rows = []
    for one in found:
        leg = excepted_leg(one.leg, now=now)
        rows.append(_told(one, facts[one.pk], state_of(facts[one.pk], leg=leg, now=now), code=why_void(facts[one.pk], leg=leg, now=now)))
    return rows


def exceptions_waiting_for(person: Person, *, now: datetime) -> list[LegException]:
    """The exceptions that wait for a second person and that this one may agree to, the oldest first."""
    asked = [
        *waiting_exceptions()
        .exclude(asked_by=person.pk)
        .filter(asked_at__gt=now - ASK_HOLDS, leg__change__in=changes_for(person))
        .order_by("pk")
    ]
    facts, by = exceptions_facts(asked, now=now), replace(person.actor, credential=PASSKEY)  # who has to enrol one is asked all the same
    return [
        one
        for one in asked
        if not why_not_agree_exception(
            facts[one.pk], leg=excepted_leg(one.leg, now=now), person=person_facts(person, one.leg.service), by=by, now=now
        )
    ]


def _told(one: LegException, facts: ExceptionFacts, state: ExceptionState, *, code: str | None) -> Told:
    why, cure = void_words(facts, code) if state is ExceptionState.VOID and code else ("", "")
    return Told(one, state, why, cure)
