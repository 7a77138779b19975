"""Who may write policies, and when; and who confirms what another proposed. Pure."""

from dataclasses import dataclass
from uuid import UUID

from apps.catalog.rules import PersonFacts, PlaceFacts
from apps.core.refusals import Refusal, not_allowed, not_now


@dataclass(frozen=True, slots=True)
class ProposalFacts:
    """What one administrator proposed."""

    proposed_by: UUID  # the person they stand as
    proposer: str
    is_proposer_administrator: bool
    is_decided: bool
    is_outdated: bool  # another wording came into force after it was written


def why_not_write_policy(person: PersonFacts, *, places: tuple[PlaceFacts, ...] = (), takes_two: bool = False) -> Refusal | None:
    """Administrators write policies, for places that live; where it takes two of them nobody does it alone."""
    if not person.is_active or not person.is_administrator:
        return not_allowed("not_administrator", "Only an administrator writes policies.", "Ask one; the people page names them.")
    if gone := next((place for place in places if place.is_retired), None):
        return not_now("retired", f"{gone.name} is retired.", "Choose one that is not.")
    if takes_two:
        said = "Another administrator is active, so a policy that asks for approval takes two."
        return not_now("takes_two", said, "Propose it; another administrator confirms it.")
    return None


def why_not_retire_policy(person: PersonFacts, *, is_retired: bool, takes_two: bool = False) -> Refusal | None:
    """A policy ends once."""
    if is_retired and not why_not_write_policy(person):
        return not_now("already_retired", "This policy is retired already.", "Write a new one for the same place.")
    return why_not_write_policy(person, takes_two=takes_two)


def why_not_propose_policy(person: PersonFacts, *, places: tuple[PlaceFacts, ...], waiting_by: str = "") -> Refusal | None:
    """One proposal at a time for each place and kind."""
    if refusal := why_not_write_policy(person, places=places):
        return refusal
    if waiting_by:
        return not_now("already_proposed", f"A proposal by {waiting_by} waits already.", "Confirm or end that one first.")
    return None


def why_not_confirm_policy(person: PersonFacts, *, proposal: ProposalFacts) -> Refusal | None:
    """Two different administrators, both active at this moment, and nothing in between."""
    if refusal := why_not_end_proposal(person, proposal=proposal):
        return refusal
    if person.canonical_id == proposal.proposed_by:
        return not_allowed("own_proposal", "You proposed this yourself.", "Another administrator confirms it.")
    if not proposal.is_proposer_administrator:
        said = f"{proposal.proposer} is no active administrator any more, so one person alone would change the policy."
        return not_now("proposer_gone", said, "End this proposal and propose it yourself.")
    if proposal.is_outdated:
        return not_now("outdated", "The policy changed after this was proposed.", "End this proposal and propose it anew.")
    return None


def why_not_end_proposal(person: PersonFacts, *, proposal: ProposalFacts) -> Refusal | None:
    """Whoever proposed takes it back; another administrator refuses it."""
    if refusal := why_not_write_policy(person):
        return refusal
    return not_now("already_decided", "This proposal is decided.", "Nothing is left to do here.") if proposal.is_decided else None
