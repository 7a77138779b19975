"""When somebody speaks in another's place: what a delegation covers, and who may give or end one. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.catalog.rules import PersonFacts
from apps.core.refusals import Refusal, not_allowed, not_now

LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one person asked another to stand in for. Both are the persons they stand as; no services or kinds: all of them."""

    person_id: UUID
    delegate_id: UUID
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    service_ids: frozenset[int] | None = None
    kinds: frozenset[str] | None = None

    def covers(self, *, delegate_id: UUID, at: datetime, service_id: int, kind: str) -> bool:
        """Whether this very person could speak for this place and kind at that moment. What is ended later stays said."""
        return (
            self.delegate_id == delegate_id
            and self.starts_at <= at < min(self.ends_at, self.ended_at or self.ends_at)
            and (self.service_ids is None or service_id in self.service_ids)
            and (self.kinds is None or kind in self.kinds)
        )

    def meets(self, other: "Stretch") -> bool:
        """Whether some sign-off would be covered by both."""
        return (
            self.starts_at < other.ends_at
            and other.starts_at < self.ends_at
            and _share(self.service_ids, other.service_ids)
            and _share(self.kinds, other.kinds)
        )


def why_not_give_delegation(
    person: PersonFacts, *, delegate: PersonFacts, wanted: Stretch, standing: Collection[Stretch]
) -> Refusal | None:
    """Only a person asks for themselves, somebody else who is there, and one at a time for the same thing."""
    if not person.is_active:
        return not_allowed("not_present", "Only an active person asks somebody to stand in.", "Sign in as a person who is active.")
    if not delegate.is_active:
        return not_now("person_inactive", f"{delegate.name} is not active.", "Choose somebody who is.")
    if delegate.canonical_id == person.canonical_id:
        return not_allowed("oneself", "Nobody stands in for themselves.", "Choose somebody else.")
    if any(wanted.meets(one) for one in standing):
        return not_now(
            "already_delegated",
            "Somebody stands in for you for a part of this already.",
            "End that first, or choose other days or services.",
        )
    return None


def why_not_end_delegation(asker: PersonFacts, *, stretch: Stretch) -> Refusal | None:
    """Ended by either of the two, or by an administrator."""
    if stretch.ended_at is not None:
        return not_now("already_ended", "This is ended already.", "Nothing is left to do here.")
    if asker.canonical_id in {stretch.person_id, stretch.delegate_id} or (asker.is_active and asker.is_administrator):
        return None
    return not_allowed("not_yours", "This is between two other people.", "Either of them ends it, or an administrator.")


def why_not_enter_absence(asker: PersonFacts, *, of: PersonFacts) -> Refusal | None:
    """One's own, or by an administrator for somebody who cannot."""
    if not of.is_active:
        return not_now("person_inactive", f"{of.name} is not active.", "Nothing waits for somebody who is not.")
    if asker.is_active and (asker.canonical_id == of.canonical_id or asker.is_administrator):
        return None
    return not_allowed("not_yours", f"This is {of.name}'s own affair.", f"{of.name} enters it, or an administrator.")


def _share(some: frozenset[object] | frozenset[int] | frozenset[str] | None, others: frozenset[int] | frozenset[str] | None) -> bool:
    return some is None or others is None or not some.isdisjoint(others)
