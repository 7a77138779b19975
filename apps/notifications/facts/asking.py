"""Whose agreement a change waits for at this moment: the same answer that the sign-off page gives."""

from datetime import datetime
from uuid import UUID

from apps.accounts.models import Person, person_actor
from apps.approvals.facts import review_facts
from apps.approvals.rules import PASSKEY, ReviewFacts, RuleState, all_met, seats_for, to_come, why_not_approve
from apps.changes.models import Change
from apps.changes.states import OPEN, State

OPEN_SEATS = frozenset({RuleState.WAITING, RuleState.LAPSED})


def asked_now(change: Change) -> frozenset[UUID]:
    """Everybody who may fill a seat that is still empty, in a stage that is open."""
    if change.state not in OPEN:
        return frozenset()
    review = review_facts(change)
    if all_met(review.legs):
        return frozenset()
    people = {person.id for leg in to_come(review.legs) for person in leg.people if person.is_active}
    return frozenset(person for person in people if is_asked(review, person))


def is_asked(review: ReviewFacts, person: UUID) -> bool:
    """Whether an empty seat waits for this person and nothing keeps them from filling it."""
    if not any(seat.state in OPEN_SEATS for seat in seats_for(review, by=person)):
        return False
    # With what they will sign shows when they do: nobody is left out for not being there in person now.
    return why_not_approve(review, revision_digest=review.revision_digest, by=person_actor(person, PASSKEY)) is None


def waits_for(change: Change, person: Person) -> bool:
    """Whether this change waits for this person's agreement."""
    return person.public_id in asked_now(change)


def asked_since(change: Change) -> datetime | None:
    """When the round began that people are asked in: its last submission."""
    rounds = change.moves.filter(leg__isnull=True, start=State.DRAFT.value, goal=State.IN_REVIEW.value)
    return rounds.order_by("-seq").values_list("at", flat=True).first()
