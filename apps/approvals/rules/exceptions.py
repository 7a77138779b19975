"""Exceptions: what is lifted, and when one counts. Pure; the gate asks the same functions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from apps.accounts.roles import Role
from apps.approvals.rules.counting import was_away_since
from apps.catalog.rules import PersonFacts
from apps.changes.states import Kind, LegState

SHORTEST_MINUTES, USUAL_MINUTES, LONGEST_MINUTES = 5, 60, 240
REVIEW_WITHIN = timedelta(hours=72)
REMIND_BEFORE = timedelta(hours=24)  # before the review is due
ASK_HOLDS = timedelta(hours=24)  # who agrees later agrees to what another moment asked for
CHAIN, CHAIN_WITHIN = 3, timedelta(hours=24)  # so many for one place without a review of any: first one says what happened
LEAST_REVIEW = 20  # characters: a dot is no review
COVERED = ("scope", "rollback")
ASKERS = frozenset({Role.REQUESTER, Role.OPERATOR, Role.RELEASE_MANAGER})
# The rules of the gate that two people may lift by name. What makes a yes mean anything is not among them, and neither is
# a deployment that is on the target now.
LIFTABLE: Mapping[str, str] = {
    "freeze": "Freeze",
    "window": "Window",
    "slot": "Slot",
    "period": "Period",
    "hold": "Hold",
    "lock": "Lock",
    "reservation": "Conflict with a reservation",
    "promotion": "Promotion",
    "evidence": "Evidence",
    "settings": "Deployment settings as signed",
    "way_back": "Rollback plan is executable",
}


class ExceptionKind(StrEnum):
    """What an exception lets pass."""

    EMERGENCY = "EMERGENCY"
    FREEZE = "FREEZE"
    GATE = "GATE"

    @property
    def label(self) -> str:
        """The kind as people say it."""
        return {"EMERGENCY": "Emergency", "FREEZE": "Freeze", "GATE": "Rules of the gate"}[self.value]

    @property
    def text(self) -> str:
        """What it does, in one sentence."""
        return {
            "EMERGENCY": "Stands in for the agreement of this place, and passes the order of promotion and missing evidence. For emergency changes.",
            "FREEZE": "Passes freezes, windows and the planned slot.",
            "GATE": "Passes the rules that you name.",
        }[self.value]


LIFTED = {
    ExceptionKind.EMERGENCY: frozenset({"approval", "settings", "promotion", "evidence"}),
    ExceptionKind.FREEZE: frozenset({"freeze", "window", "slot"}),
}


def lifted_by(kind: str, lifts: Collection[str]) -> frozenset[str]:
    """The rules of the gate that an exception of this kind passes; what is not liftable never is, whatever a row says."""
    return LIFTED.get(ExceptionKind(kind), frozenset(lifts) & frozenset(LIFTABLE))


@dataclass(frozen=True, slots=True)
class Debt:
    """A review that a team owes and has not written in time."""

    ref: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Given:
    """An exception that was agreed to for a place, and whether its review is written."""

    ref: str
    is_reviewed: bool


@dataclass(frozen=True, slots=True)
class Debtors:
    """Who owes a review: the team, whether somebody is of it, and whether it has anybody besides the one who asked."""

    team: str
    is_member: bool
    has_another: bool


@dataclass(frozen=True, slots=True)
class ExceptedLeg:
    """One leg as an exception is asked for it: what its change is, and what its team owes."""

    ref: str
    change_state: str
    kind: str
    opened_at: datetime | None
    place: str
    is_current: bool
    leg_state: str
    failures_count: int
    digests: Mapping[str, str]
    settings: str
    identities: tuple[str, ...]
    team: str
    debts: tuple[Debt, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)  # kind to the reference of the one that waits
    given: tuple[Given, ...] = ()  # for this place within CHAIN_WITHIN, whichever change it was for, the oldest first


@dataclass(frozen=True, slots=True)
class ExceptionFacts:
    """One exception. `covers`, `settings` and `identities` are what both statements say; nothing where they prove nothing."""

    id: UUID
    ref: str
    kind: str
    lifts: frozenset[str]
    asked_by: PersonFacts
    asked_at: datetime
    covers: Mapping[str, str]
    settings: str
    identities: tuple[str, ...]
    signature_ok: bool
    agreed_by: PersonFacts | None = None
    agreed_at: datetime | None = None
    ends_at: datetime | None = None
    is_refused: bool = False
    is_withdrawn: bool = False
    is_lapsed: bool = False  # nobody decided in time, and that was written down
    review_due_at: datetime | None = None
    reviewed_at: datetime | None = None
    debts: tuple[Debt, ...] = ()  # reviews of its team that are overdue now
    reason: str = ""

    @property
    def rules(self) -> frozenset[str]:
        """The rules of the gate it passes while it counts."""
        return lifted_by(self.kind, self.lifts)

    @property
    def names(self) -> str:
        """Both persons, or the first one."""
        return f"{self.asked_by.name} and {self.agreed_by.name}" if self.agreed_by else self.asked_by.name


class ExceptionState(StrEnum):
    """Where an exception stands at a moment: derived, never written."""

    WAITING = "WAITING"
    LIVE = "LIVE"
    VOID = "VOID"  # asked or agreed, and something it was for is not so any more
    ENDED = "ENDED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    LAPSED = "LAPSED"  # nobody decided in time
    USED = "USED"  # its place is done: nothing is left that it could pass


# Why one that was asked for, or agreed, does not count: the fact and its cure.
VOID_WORDS: Mapping[str, tuple[str, str]] = {
    "signature": ("its signatures do not prove it", "Run the audit verifier, then ask for a new one."),
    "same_person": ("both persons are one and the same", "Ask for a new one with somebody else."),
    "asker": ("{asked_by} may not ask for it any more", "Somebody else asks for a new one."),
    "agreer": ("{agreed_by} may not agree to it any more", "Ask for a new one with somebody else."),
    "changed": ("scope or rollback plan changed since", "Ask for a new one for the newest revision."),
    "settings": ("the deployment settings changed since", "Ask for a new one."),
    "kind": ("the change is no emergency change", "Ask for a freeze or gate exception, or for an emergency change."),
    "debt": ("the team owes the review of {debt}", "Write that review."),
    "old": ("nobody agreed within 24 hours", "Ask again."),
}


def may_ask(person: PersonFacts) -> bool:
    """Who asks for changes of the service, or runs them."""
    return person.has_any(ASKERS)


def may_agree(person: PersonFacts) -> bool:
    """A release manager, or an owner of the service."""
    return person.is_active and (Role.RELEASE_MANAGER in person.roles or bool(person.owner_of))


def why_void(one: ExceptionFacts, *, leg: ExceptedLeg, now: datetime) -> str | None:
    """The code of what keeps an exception from counting that is neither over nor ended, or None."""
    agreed = one.agreed_at
    doubts: tuple[tuple[str, bool], ...] = (
        ("signature", not one.signature_ok),
        ("same_person", one.agreed_by is not None and one.agreed_by.canonical_id == one.asked_by.canonical_id),
        ("asker", not may_ask(one.asked_by) or was_away_since(one.asked_by, given_at=one.asked_at)),
        ("agreer", one.agreed_by is not None and not may_agree(one.agreed_by)),
        ("agreer", one.agreed_by is not None and agreed is not None and was_away_since(one.agreed_by, given_at=agreed)),
        ("changed", not leg.is_current or any(one.covers.get(part) != leg.digests.get(part) for part in COVERED)),
        ("changed", not one.identities or one.identities != leg.identities),
        ("settings", one.settings != leg.settings),
        ("kind", one.kind == ExceptionKind.EMERGENCY and leg.kind != Kind.EMERGENCY),
        ("debt", any(agreed is None or debt.due_at <= agreed for debt in one.debts)),
        ("old", agreed is None and now >= one.asked_at + ASK_HOLDS),
    )
    return next((code for code, holds in doubts if holds), None)


def void_words(one: ExceptionFacts, code: str) -> tuple[str, str]:
    """Why it does not count, and the cure."""
    said, cure = VOID_WORDS[code]
    agreed_by, debt = one.agreed_by.name if one.agreed_by else "", one.debts[0].ref if one.debts else ""
    return said.format(asked_by=one.asked_by.name, agreed_by=agreed_by, debt=debt), cure


def state_of(one: ExceptionFacts, *, leg: ExceptedLeg, now: datetime) -> ExceptionState:
    """Where it stands now."""
    if one.is_refused:
        return ExceptionState.REFUSED
    if one.is_withdrawn:
        return ExceptionState.WITHDRAWN
    if one.is_lapsed:
        return ExceptionState.LAPSED
    if one.ends_at is not None and now >= one.ends_at:
        return ExceptionState.ENDED
    if one.agreed_at is not None and one.signature_ok and leg.leg_state == LegState.DONE:
        return ExceptionState.USED
    if why_void(one, leg=leg, now=now):
        return ExceptionState.VOID
    return ExceptionState.LIVE if one.agreed_at else ExceptionState.WAITING


def counts(one: ExceptionFacts, *, leg: ExceptedLeg, now: datetime) -> bool:
    """Whether it lets something pass at this moment."""
    return state_of(one, leg=leg, now=now) is ExceptionState.LIVE
