"""Who may write policies, and when. Pure."""

from apps.catalog.rules import PersonFacts, PlaceFacts
from apps.core.refusals import Refusal, not_allowed, not_now


def why_not_write_policy(person: PersonFacts, *, places: tuple[PlaceFacts, ...] = ()) -> Refusal | None:
    """Administrators write policies, for places that live."""
    if not person.is_active or not person.is_administrator:
        return not_allowed("not_administrator", "Only an administrator writes policies.", "Ask one; the people page names them.")
    gone = next((place for place in places if place.is_retired), None)
    return not_now("retired", f"{gone.name} is retired.", "Choose one that is not.") if gone else None


def why_not_retire_policy(person: PersonFacts, *, is_retired: bool) -> Refusal | None:
    """A policy ends once."""
    if refusal := why_not_write_policy(person):
        return refusal
    return not_now("already_retired", "This policy is retired already.", "Write a new one for the same place.") if is_retired else None
