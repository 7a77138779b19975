"""The queries that build the facts about people, services and targets which rules decide on."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from apps.accounts.models import Membership, Person, RoleGrant
from apps.catalog.models import Environment, Ownership, Service, Target
from apps.catalog.rules import PersonFacts, PlaceFacts, TargetFacts
from apps.core.actors import ActorKind

__all__ = ["PersonFacts", "environment_facts", "owners_of", "people_facts", "person_facts", "service_facts", "target_facts"]


def person_facts(person: Person, service: Service | None = None) -> PersonFacts:
    """One person as rules see them, frozen."""
    return people_facts([person], service)[person.public_id]


def people_facts(people: Iterable[Person], service: Service | None = None) -> dict[UUID, PersonFacts]:
    """Many people as rules see them, by public id, in a fixed number of statements.

    Somebody merged keeps their own id and name and has what the person they are merged into has."""
    people = [*people]
    standing = {person.pk: person.merged_into or person for person in people}
    held = _Held({stood.pk: stood for stood in standing.values()}, service)
    return {person.public_id: held.facts(person, standing[person.pk]) for person in people}


class _Held:
    """What persons hold now: roles, teams, ownerships, and what they gave themselves. Loaded once for all of them."""

    def __init__(self, people: dict[int, Person], service: Service | None) -> None:
        self._roles: defaultdict[int, set[str]] = defaultdict(set)
        self._teams: defaultdict[int, set[UUID]] = defaultdict(set)
        self._owner_of: defaultdict[int, set[str]] = defaultdict(set)
        self._self_granted: dict[int, datetime] = {}
        self._stands_for: defaultdict[int | None, set[UUID]] = defaultdict(set)
        self._people = people
        where = Q(team__isnull=True) | Q(team=service.team_id) if service else Q(team__isnull=True)
        for grant in RoleGrant.objects.filter(where, person__in=people, revoked_at__isnull=True):
            self._roles[grant.person_id].add(grant.role)
            self._note(grant.person_id, grant.granted_by, grant.granted_at)
        for membership in Membership.objects.filter(person__in=people, ended_at__isnull=True).select_related("team"):
            self._teams[membership.person_id].add(membership.team.public_id)
            self._note(membership.person_id, membership.started_by, membership.started_at)
        if service is not None:
            self._load_ownerships(service)
            for merged_into, public_id in Person.objects.filter(merged_into__in=people).values_list("merged_into", "public_id"):
                self._stands_for[merged_into].add(public_id)

    def _load_ownerships(self, service: Service) -> None:
        own = Q(person__in=self._people) | Q(person__merged_into__in=self._people)
        for ownership in Ownership.objects.filter(own, service=service, ended_at__isnull=True).select_related("person"):
            holder = ownership.person.merged_into_id or ownership.person_id
            self._owner_of[holder].add(ownership.kind)
            self._note(holder, ownership.started_by, ownership.started_at)

    def _note(self, pk: int, given_by: str, at: datetime) -> None:
        if given_by == f"{ActorKind.PERSON.value}:{self._people[pk].public_id}":
            self._self_granted[pk] = max(at, self._self_granted.get(pk, at))

    def facts(self, person: Person, standing: Person) -> PersonFacts:
        """The facts of one person, taken from the person they stand as."""
        pk = standing.pk
        return PersonFacts(
            id=person.public_id,
            name=person.name,
            is_active=person.is_present,
            roles=frozenset(self._roles[pk]) if standing.is_present else frozenset(),
            team_ids=frozenset(self._teams[pk]),
            owner_of=frozenset(self._owner_of[pk]),
            canonical_id=standing.public_id,
            self_granted_at=self._self_granted.get(pk),
            stands_for=frozenset(self._stands_for[pk]),
        )


def owners_of(service: Service) -> list[tuple[str, Person]]:
    """The standing owners of a service: (kind, the person they stand as), business first, by name."""
    rows = Ownership.objects.filter(service=service, ended_at__isnull=True).select_related("person__merged_into")
    found = {(row.kind, row.person.merged_into or row.person) for row in rows}
    return sorted(found, key=lambda pair: (pair[0], pair[1].name, pair[1].pk))


def service_facts(service: Service) -> PlaceFacts:
    """The facts about a service something is done to."""
    occupied = service.targets.filter(occupied_by__isnull=False).select_related("service", "environment")
    return PlaceFacts(name=service.name, is_retired=service.retired_at is not None, occupied=tuple(map(str, occupied)))


def environment_facts(environment: Environment) -> PlaceFacts:
    """The facts about an environment something is done to."""
    occupied = environment.targets.filter(occupied_by__isnull=False).select_related("service", "environment")
    return PlaceFacts(name=environment.name, is_retired=environment.retired_at is not None, occupied=tuple(map(str, occupied)))


def target_facts(target: Target) -> TargetFacts:
    """The facts about a target something is done to."""
    return TargetFacts(
        name=str(target),
        service=PlaceFacts(target.service.name, is_retired=target.service.retired_at is not None),
        environment=PlaceFacts(target.environment.name, is_retired=target.environment.retired_at is not None),
        is_retired=target.retired_at is not None,
        occupied_by=target.occupied_by,
        locked_by=target.locked_by,
        lock_reason=target.lock_reason,
    )
