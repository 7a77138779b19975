"""What a person decides, judged: the same beats for the statement that is put before them and for the one they sign."""

from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import Person
from apps.accounts.steps import person_by_actor
from apps.approvals.facts import newest, review_facts
from apps.approvals.models import REJECTION, Decision, Meaning
from apps.approvals.rules import ReviewFacts, asked_seats, open_seats, why_not_approve, why_not_reject
from apps.approvals.statement import NotAStatement, Statement, read_statement
from apps.approvals.steps.sign_offs import Decided, drafted_statement
from apps.approvals.steps.signing import UNREADABLE, Signed
from apps.changes.models import Change
from apps.core.actors import Actor
from apps.core.refusals import BadContent, Refusal, Refused, not_now
from apps.core.texts import read_text

LONGEST_REASON = 2000
SOLO_REASON = "Nobody else looks at it: say why you sign your own change."
NO_REASON = "Say why, so that the requester knows what to do differently."


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose about the revision they read."""

    decision: str
    revision_digest: str
    reason: str = ""
    meaning: str = ""  # empty: that of the first seat that waits for them


def decide(change: Change, choice: Choice, *, by: Actor) -> Decided:
    """Judge a decision and say what it speaks for; raises Refused and BadContent. Nothing is locked and nothing is written."""
    person, facts = present(change, by), review_facts(change)
    if choice.decision == Decision.REJECT:
        return _rejection(change, choice, by=by, person=person, facts=facts)
    if choice.meaning not in {"", *Meaning.values}:
        raise BadContent({"meaning": [f"One of {', '.join(Meaning.values)}."]})
    refuse(change, why_not_approve(facts, revision_digest=choice.revision_digest, by=by, meaning=choice.meaning))
    said = read_reason(choice.reason, cure=SOLO_REASON if person.public_id == facts.requester_id else "")
    seats = open_seats(facts, by=person.public_id, meaning=choice.meaning)
    return Decided(person, Decision.APPROVE, seats[0].rule.meaning, seats, said)


def choice_in(signed: Signed, *, change: Change) -> Choice:
    """What a signed statement says was chosen about this change; raises Refused where it is no statement, or about another one."""
    try:
        said = read_statement(signed.statement)
    except NotAStatement as error:
        raise Refused(UNREADABLE, about=change.reference) from error
    if said.change != str(change.public_id):
        reason = f"This statement is about {said.ref}, not about {change.ref}."
        raise Refused(not_now("other_change", reason, "Read the statement on the page of its own change."), about=change.reference)
    return Choice(said.decision, said.revision_digest, said.reason, said.meaning)


def proposed_statement(change: Change, choice: Choice, *, by: Actor, at: datetime) -> Statement:
    """The statement that this decision would sign now; raises Refused and BadContent. Writes nothing."""
    return drafted_statement(change, newest(change), decided=decide(change, choice, by=by), by=by, at=at)


def present(change: Change, by: Actor) -> Person:
    """The person who acts; a refusal names the change, so that the attempt is recorded about it."""
    try:
        return person_by_actor(by)
    except Refused as error:
        raise Refused(error.refusal, about=change.reference) from error


def refuse(change: Change, refusal: Refusal | None) -> None:
    """Raise a refusal, if there is one, about the change."""
    if refusal:
        raise Refused(refusal, about=change.reference)


def read_reason(text: str, *, cure: str = "") -> str:
    """Read a reason; CURE is what is asked where it may not be empty."""
    said = read_text(text, field="reason", longest=LONGEST_REASON)
    if cure and not said.strip():
        raise BadContent({"reason": [cure]})
    return said


def _rejection(change: Change, choice: Choice, *, by: Actor, person: Person, facts: ReviewFacts) -> Decided:
    refuse(change, why_not_reject(facts, revision_digest=choice.revision_digest, by=by))
    said = read_reason(choice.reason, cure=NO_REASON)
    seats = asked_seats(facts, by=person.public_id)
    return Decided(person, Decision.REJECT, REJECTION, seats, said)
