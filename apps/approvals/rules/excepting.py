"""Why a verb of exceptions is refused: pure answers for the action, for the page and for the button alike."""

from collections.abc import Callable
from datetime import datetime

from apps.accounts.roles import Role
from apps.approvals.rules.exceptions import (
    CHAIN,
    Debtors,
    ExceptedLeg,
    ExceptionFacts,
    ExceptionKind,
    may_agree,
    may_ask,
    void_words,
    why_void,
)
from apps.approvals.rules.giving import is_let_in_by
from apps.approvals.rules.verbs import why_not_signed_by
from apps.catalog.rules import PersonFacts
from apps.changes.rules import why_not_start_leg
from apps.changes.states import Kind, LegState, State
from apps.core.actors import Actor
from apps.core.moments import utc_words
from apps.core.refusals import Refusal, not_allowed, not_now


def why_not_ask_exception(leg: ExceptedLeg, *, kind: str, person: PersonFacts, by: Actor) -> Refusal | None:
    """Say why this person cannot ask for an exception of this kind, or None; without a kind, for any."""
    answers: tuple[Callable[[], Refusal | None], ...] = (
        lambda: why_not_signed_by(by),
        lambda: None if may_ask(person) else _not_an_asker(leg),
        lambda: _why_not_open(leg),
        lambda: _why_not_free_of_debt(leg),
        lambda: _why_not_chained(leg),
        lambda: _why_not_emergency(leg, kind),
        lambda: _already(leg, kind),
    )
    return next((refusal for answer in answers if (refusal := answer())), None)


def why_not_agree_exception(one: ExceptionFacts, *, leg: ExceptedLeg, person: PersonFacts, by: Actor, now: datetime) -> Refusal | None:
    """Say why this person cannot be the second one, or None."""
    answers: tuple[Callable[[], Refusal | None], ...] = (
        lambda: why_not_signed_by(by),
        lambda: None if may_agree(person) else _not_an_agreer(leg),
        lambda: _why_not_second(one, person),
        lambda: _why_not_waiting(one),
        lambda: _why_not_open(leg),
        lambda: _why_not_free_of_debt(leg),
        lambda: _why_not_chained(leg),
        lambda: _why_not_self_granted(leg, person),
        lambda: _why_not_let_in(one, person),
        lambda: _why_not_void(one, leg=leg, now=now),
    )
    return next((refusal for answer in answers if (refusal := answer())), None)


def why_not_refuse_exception(one: ExceptionFacts, *, leg: ExceptedLeg, person: PersonFacts, by: Actor) -> Refusal | None:
    """Who may agree may say no, as long as nobody decided."""
    if not may_agree(person):
        return why_not_signed_by(by) or _not_an_agreer(leg)
    if person.canonical_id == one.asked_by.canonical_id:
        return why_not_signed_by(by) or not_allowed("own_exception", "You asked for this exception.", "Withdraw it instead.")
    return why_not_signed_by(by) or _why_not_waiting(one)


def why_not_withdraw_exception(one: ExceptionFacts, *, leg: ExceptedLeg, person: PersonFacts, by: Actor, now: datetime) -> Refusal | None:
    """Either of the two takes it back, at any time before it ended; so does a release manager. What has begun goes on."""
    both = {one.asked_by.canonical_id} | ({one.agreed_by.canonical_id} if one.agreed_by else set())
    if refusal := why_not_signed_by(by):
        return refusal
    if person.canonical_id not in both and not (person.is_active and Role.RELEASE_MANAGER in person.roles):
        said = f"{one.ref} is of {one.names}."
        return not_allowed("not_yours", said, "One of them, or a release manager, withdraws it.")
    is_used = one.agreed_at is not None and leg.leg_state == LegState.DONE
    if one.is_refused or one.is_withdrawn or one.is_lapsed or is_used or (one.ends_at is not None and now >= one.ends_at):
        return not_now("exception_over", f"{one.ref} is over.", "Nothing is left to withdraw.")
    return None


def why_not_review_exception(
    one: ExceptionFacts, *, leg: ExceptedLeg, person: PersonFacts, debtors: Debtors, by: Actor, now: datetime
) -> Refusal | None:
    """The team that owes the review writes it, once, after it was used or is over; whoever asked only where there is nobody else."""
    answers: tuple[Callable[[], Refusal | None], ...] = (
        lambda: why_not_signed_by(by),
        lambda: _why_not_reviewer(one, person, debtors),
        lambda: _why_not_to_review(one, leg, now=now),
    )
    return next((refusal for answer in answers if (refusal := answer())), None)


def _why_not_reviewer(one: ExceptionFacts, person: PersonFacts, debtors: Debtors) -> Refusal | None:
    is_asker = person.canonical_id == one.asked_by.canonical_id
    if is_asker and debtors.has_another:
        said = f"You asked for {one.ref}, so somebody else looks back on it."
        return not_allowed("own_review", said, f"Somebody else of {debtors.team} writes the review.")
    if not person.is_active or not (debtors.is_member or is_asker):
        said = f"The review of {one.ref} is owed by {debtors.team}."
        who = f"Somebody of {debtors.team}" if debtors.has_another else one.asked_by.name
        return not_allowed("not_of_team", said, f"{who} writes it.")
    return None


def _why_not_to_review(one: ExceptionFacts, leg: ExceptedLeg, *, now: datetime) -> Refusal | None:
    if one.agreed_at is None:
        return not_now("not_agreed", f"{one.ref} was never agreed, so it owes no review.", "Nothing is left to do here.")
    if one.reviewed_at is not None:
        return not_now("already_reviewed", f"The review of {one.ref} is written.", "Say more in a comment on the change.")
    if one.ends_at is not None and now < one.ends_at and not one.is_withdrawn and leg.leg_state == LegState.WAITING:
        said = f"{one.ref} is not used yet and can be until {utc_words(one.ends_at)}."
        return not_now("not_over", said, "Write its review when it was used, has ended or is withdrawn.")
    return None


def _not_an_asker(leg: ExceptedLeg) -> Refusal:
    said = f"Asking for an exception for {leg.place} takes the role of requester, operator or release manager there."
    return not_allowed("not_an_asker", said, "Ask one of them; the people page names them.")


def _not_an_agreer(leg: ExceptedLeg) -> Refusal:
    said = f"A release manager, or an owner of the service, agrees to an exception for {leg.place}."
    return not_allowed("not_an_agreer", said, "One of them decides; the service page names its owners.")


def _why_not_open(leg: ExceptedLeg) -> Refusal | None:
    if not leg.is_current:
        return not_now("leg_not_open", f"{leg.ref} does not go to {leg.place} any more.", "Ask for what its newest revision names.")
    return why_not_start_leg(change=State(leg.change_state), leg=LegState(leg.leg_state), failures_count=leg.failures_count)


def _why_not_free_of_debt(leg: ExceptedLeg) -> Refusal | None:
    if not leg.debts:
        return None
    debt = leg.debts[0]
    said = f"{leg.team} owes the review of {debt.ref} since {utc_words(debt.due_at)}."
    return not_now("review_overdue", said, f"Write the review of {debt.ref}; then exceptions are possible again.")


def _why_not_chained(leg: ExceptedLeg) -> Refusal | None:
    open_ones = [one.ref for one in leg.given if not one.is_reviewed]
    if len(open_ones) < CHAIN:
        return None
    said = f"{leg.place} was given {len(open_ones)} exceptions within 24 hours, and none of them is reviewed."
    return not_now("chain", said, f"Write the review of {open_ones[0]}; then the next one is possible.")


def _why_not_emergency(leg: ExceptedLeg, kind: str) -> Refusal | None:
    if kind != ExceptionKind.EMERGENCY or leg.kind == Kind.EMERGENCY:
        return None
    return not_now("not_an_emergency", f"{leg.ref} is no emergency change.", "Copy it into an emergency change, and ask there.")


def _already(leg: ExceptedLeg, kind: str) -> Refusal | None:
    if not (ref := leg.waiting.get(kind)):
        return None
    return not_now("already_asked", f"{ref} of this kind waits for its second person.", f"Have {ref} decided, or withdraw it.")


def _why_not_second(one: ExceptionFacts, person: PersonFacts) -> Refusal | None:
    if person.canonical_id != one.asked_by.canonical_id:
        return None
    return not_allowed("own_exception", "You asked for this exception, and it takes two people.", "Another person agrees to it.")


def _why_not_waiting(one: ExceptionFacts) -> Refusal | None:
    if one.agreed_by is not None:
        return not_now("already_agreed", f"{one.agreed_by.name} agreed to {one.ref} already.", "Nothing is left to decide here.")
    if one.is_refused or one.is_withdrawn or one.is_lapsed:
        word = "was refused" if one.is_refused else "was withdrawn" if one.is_withdrawn else "is over: nobody decided within 24 hours"
        return not_now("exception_over", f"{one.ref} {word}.", "Ask for a new one.")
    return None


def _why_not_self_granted(leg: ExceptedLeg, person: PersonFacts) -> Refusal | None:
    given = person.self_granted_at
    if given is None or leg.opened_at is None or given <= leg.opened_at:
        return None
    said = f"You gave yourself a role, a team or a service after {leg.ref} was submitted."
    return not_allowed("self_granted", said, "Somebody else agrees to this one.")


def _why_not_let_in(one: ExceptionFacts, person: PersonFacts) -> Refusal | None:
    if not is_let_in_by(person, giver=one.asked_by.canonical_id):
        return None
    said = f"What lets you agree was given to you by {one.asked_by.name}, who asks for {one.ref}."
    return not_allowed("let_in", said, "Another administrator gives it to you anew, or somebody else agrees.")


def _why_not_void(one: ExceptionFacts, *, leg: ExceptedLeg, now: datetime) -> Refusal | None:
    if not (code := why_void(one, leg=leg, now=now)):
        return None
    said, cure = void_words(one, code)
    return not_now(f"exception_{code}", f"{one.ref} cannot be agreed to: {said}.", cure)
