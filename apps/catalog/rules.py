"""Who may change the catalogue, and when: pure answers over frozen facts. Also the facts of a person that other rules use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from apps.accounts.roles import Role
from apps.core.refusals import Refusal, not_allowed, not_now

KEEPERS = frozenset({Role.OPERATOR, Role.RELEASE_MANAGER})
ASK_ADMINISTRATOR = "Ask an administrator; the people page names them."

LINK = "LINK"  # the one-time link that somebody first signed in by


def seat_key(kind: str, value: str) -> str:
    """How one thing that a person holds is called: a kind of ownership, a role, a team."""
    return f"{kind}:{value}"


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """A person as rules see them, for one service or for none.

    `roles` are those for everything and, with a service, those for the service's team. `canonical_id` is the person they
    are merged into, or themselves; with a service, `stands_for` are all who were merged into that one. `self_granted_at` is
    when they last gave themselves a role, membership or ownership."""

    id: UUID
    name: str
    is_active: bool
    roles: frozenset[str]
    team_ids: frozenset[UUID]
    owner_of: frozenset[str]
    canonical_id: UUID
    self_granted_at: datetime | None = None
    stands_for: frozenset[UUID] = frozenset()
    inactive_until: datetime | None = None  # when they were last made active again; None: never inactive
    # By what they hold, for each time it was given: which persons gave it or let them in after it was given. Nobody is named
    # where no other administrator was there who could have given it.
    given_by: Mapping[str, tuple[frozenset[UUID], ...]] = field(default_factory=dict, compare=False)

    @property
    def is_administrator(self) -> bool:
        """Whether this person configures the installation."""
        return Role.ADMINISTRATOR in self.roles

    def has_any(self, roles: frozenset[Role]) -> bool:
        """Whether this person has one of the roles here."""
        return self.is_active and bool(self.roles & {role.value for role in roles})


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """A service or an environment something is done to."""

    name: str
    is_retired: bool = False
    occupied: tuple[str, ...] = ()  # its targets that a deployment occupies, by name


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """A target something is done to."""

    name: str
    service: PlaceFacts
    environment: PlaceFacts
    is_retired: bool = False
    occupied_by: UUID | None = None
    locked_by: str = ""
    lock_reason: str = ""


LONGEST_GRACE = 60  # minutes: no ticket lives longer
REQUIRED_ORDER = ("NO", "RECORDED", "APPROVED")  # the strictest last


def asks_less(before: str, after: str) -> bool:
    """Whether an environment would ask for less than it does."""
    return REQUIRED_ORDER.index(after) < REQUIRED_ORDER.index(before)


def why_not_ask_less(before: str, after: str, *, are_two: bool) -> Refusal | None:
    """With two administrators nobody lowers alone what an environment asks for."""
    if not are_two or not asks_less(before, after):
        return None
    said = "Another administrator is active, so letting an environment ask for less takes two."
    return not_now("takes_two", said, "Propose it on the environment's page of how strict it is; another administrator confirms it.")


def why_not_configure(person: PersonFacts) -> Refusal | None:
    """The catalogue is configured by administrators."""
    if person.is_active and person.is_administrator:
        return None
    return not_allowed("not_administrator", "Only an administrator changes the catalogue.", ASK_ADMINISTRATOR)


def why_not_change_place(person: PersonFacts, place: PlaceFacts) -> Refusal | None:
    """A retired service or environment stays as it was."""
    return why_not_configure(person) or retired(place)


def why_not_retire_place(person: PersonFacts, place: PlaceFacts) -> Refusal | None:
    """Nothing retires under a running deployment."""
    if refusal := why_not_change_place(person, place):
        return refusal
    if place.occupied:
        return not_now("occupied", f"A deployment occupies {', '.join(place.occupied)}.", "Wait until it ends, or abort it.")
    return None


def why_not_start_ownership(person: PersonFacts, place: PlaceFacts, *, owner: PersonFacts, stands: bool) -> Refusal | None:
    """An owner can act; one standing ownership per person and kind."""
    if refusal := why_not_change_place(person, place):
        return refusal
    if not owner.is_active:
        return not_now("person_inactive", f"{owner.name} is not active.", "Choose somebody who is, or reactivate them.")
    return not_now("already_owner", f"{owner.name} is this kind of owner already.") if stands else None


def why_not_give_role(person: PersonFacts, place: PlaceFacts, *, holder: PersonFacts, role: str, stands: bool) -> Refusal | None:
    """A role for one service: whoever gets it can act, and does not have it for the service yet."""
    if refusal := why_not_change_place(person, place):
        return refusal
    if not holder.is_active:
        return not_now("person_inactive", f"{holder.name} is not active.", "Choose somebody who is, or reactivate them.")
    words = role.replace("_", " ").lower()
    return not_now("already_granted", f"{holder.name} is {words} of it already.") if stands else None


def why_not_take_role(person: PersonFacts, *, holder: PersonFacts, role: str, stands: bool) -> Refusal | None:
    """Only a standing role ends."""
    if refusal := why_not_configure(person):
        return refusal
    words = role.replace("_", " ").lower()
    return (
        None
        if stands
        else not_now("not_granted", f"{holder.name} is not {words} of it.", "What they have for a team ends on their own page.")
    )


def why_not_end_ownership(person: PersonFacts, *, owner: PersonFacts, stands: bool) -> Refusal | None:
    """Only a standing ownership ends."""
    if refusal := why_not_configure(person):
        return refusal
    return None if stands else not_now("not_owner", f"{owner.name} is no such owner of it.")


def why_not_create_target(person: PersonFacts, service: PlaceFacts, environment: PlaceFacts, *, exists: bool) -> Refusal | None:
    """One target per service and environment, while both live."""
    if refusal := why_not_configure(person) or retired(service) or retired(environment):
        return refusal
    return not_now("target_exists", f"{service.name} has a target in {environment.name} already.") if exists else None


def why_not_write_settings(person: PersonFacts, target: TargetFacts) -> Refusal | None:
    """Settings say what is executed: administrators write them, for targets that live."""
    return why_not_configure(person) or ended(target)


def why_not_lock_target(person: PersonFacts, target: TargetFacts) -> Refusal | None:
    """Operators and release managers stop a target by hand."""
    if refusal := not_keeper(person) or ended(target):
        return refusal
    if target.locked_by:
        return not_now(
            "already_locked", f"{target.name} is locked already: {target.lock_reason}", "Unlock it first to give another reason."
        )
    return None


def why_not_unlock_target(person: PersonFacts, target: TargetFacts) -> Refusal | None:
    """Whoever may lock may unlock."""
    if refusal := not_keeper(person):
        return refusal
    return None if target.locked_by else not_now("not_locked", f"{target.name} is not locked.")


def why_not_adopt_version(person: PersonFacts, target: TargetFacts) -> Refusal | None:
    """What runs is adopted while nobody changes it."""
    if refusal := not_keeper(person) or ended(target):
        return refusal
    if target.occupied_by is not None:
        return not_now("occupied", f"A deployment occupies {target.name}.", "Wait until it ends; it says itself what runs.")
    return None


def not_keeper(person: PersonFacts) -> Refusal | None:
    """Locks and adoption are for those who run things."""
    if person.has_any(KEEPERS):
        return None
    return not_allowed("not_operator", "Only an operator or a release manager does this.", "Ask one; the people page names them.")


def retired(place: PlaceFacts) -> Refusal | None:
    """What is retired stays as it was."""
    return not_now("retired", f"{place.name} is retired.", "Choose one that is not.") if place.is_retired else None


def ended(target: TargetFacts) -> Refusal | None:
    """A target lives as long as its service, its environment and itself."""
    if refusal := retired(target.service) or retired(target.environment):
        return refusal
    return not_now("retired", f"{target.name} is retired.") if target.is_retired else None
