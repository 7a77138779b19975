"""The queries that build the facts about people, services and targets which rules decide on."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, F, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce, Least

from apps.accounts.models import Membership, Person, RoleGrant
from apps.accounts.roles import Role
from apps.audit.names import read_actor
from apps.catalog.models import Environment, Ownership, Service, ServiceRole, Target
from apps.catalog.rules import LINK, PersonFacts, PlaceFacts, TargetFacts, seat_key
from apps.core.actors import ActorKind

__all__ = ["PersonFacts", "environment_facts", "owners_of", "people_facts", "person_facts", "service_facts", "target_facts"]

ADMINISTRATOR = "ADMINISTRATOR"  # the kind of a row that tells of one


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
        self._given: list[tuple[str, int, str, datetime]] = []  # what, to whom, by whom, when
        self._administrators: list[tuple[UUID, datetime, datetime | None]] = []  # who, from when to when
        grants = RoleGrant.objects.filter(Q(team__isnull=True) | Q(team=service.team_id) if service else Q(team__isnull=True))
        rows = [
            _held("ROLE", grants.filter(person__in=people, revoked_at__isnull=True), "person", "role", "granted"),
            _held("TEAM", Membership.objects.filter(person__in=people, ended_at__isnull=True), "person", "team__public_id", "started"),
        ]
        rows.append(_administrators())
        if service is not None:
            mine = Q(person__in=people) | Q(person__merged_into__in=people)
            owned = Ownership.objects.filter(mine, service=service, ended_at__isnull=True)
            rows.append(_held("OWNER", owned.annotate(holder=Coalesce("person__merged_into", "person")), "holder", "kind", "started"))
            given = ServiceRole.objects.filter(mine, service=service, ended_at__isnull=True)
            rows.append(_held("ROLE", given.annotate(holder=Coalesce("person__merged_into", "person")), "holder", "role", "started"))
            merged = Person.objects.filter(merged_into__in=people)
            rows.append(_held("MERGED", merged, "merged_into", "public_id", ""))
        for kind, pk, value, by, at in rows[0].union(*rows[1:], all=True):
            if kind == ADMINISTRATOR:
                self._administrators.append((UUID(value), at, datetime.fromisoformat(by) if by else None))
                continue
            self._keep(kind, pk, value)
            if by:
                self._note(pk, by, at)
                self._given.append((seat_key(kind, value), pk, by, at))

    def _keep(self, kind: str, pk: int, value: str) -> None:
        match kind:
            case "ROLE":
                self._roles[pk].add(value)
            case "TEAM":
                self._teams[pk].add(UUID(value))
            case "OWNER":
                self._owner_of[pk].add(value)
            case _:
                self._stands_for[pk].add(UUID(value))

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
            inactive_until=person.inactive_until,
            given_by=self._givers(standing),
        )

    def _givers(self, person: Person) -> dict[str, tuple[frozenset[UUID], ...]]:
        """Who gave what, with who let the person in after that; whoever gives anew has met whom they give it to."""
        found: defaultdict[str, list[frozenset[UUID]]] = defaultdict(list)
        link = self._giver(person.let_in_by, person.let_in_at) if person.let_in_at else frozenset()
        if link:
            found[LINK].append(link)
        for key, pk, by, at in self._given:
            if pk == person.pk:
                since = link if person.let_in_at and person.let_in_at > at else frozenset()
                found[key].append(self._giver(by, at) | since)
        return {key: tuple(givers) for key, givers in found.items()}

    def _giver(self, by: str, at: datetime) -> frozenset[UUID]:
        """The person who gave something, where another administrator was there who could have."""
        giver = read_actor(by).person_id
        others = (who != giver and since <= at and (until is None or at < until) for who, since, until in self._administrators)
        return frozenset({giver}) if giver is not None and any(others) else frozenset()


def _administrators() -> QuerySet[Any, Any]:
    """Everybody who ever was an administrator, from when to when, in the columns of what is held."""
    until = Cast(Least("revoked_at", "person__deactivated_at"), TextField())
    rows = RoleGrant.objects.filter(role=Role.ADMINISTRATOR).order_by()
    return rows.values_list(
        Value(ADMINISTRATOR),
        F("person"),
        Cast(F("person__public_id"), TextField()),
        Coalesce(until, Value(""), output_field=TextField()),
        F("granted_at"),
    )


def _held(kind: str, rows: QuerySet[Any], holder: str, value: str, verb: str) -> QuerySet[Any, Any]:
    """One kind of thing that people hold, in the columns that all kinds share: they are read in one statement."""
    return rows.order_by().values_list(
        Value(kind),
        F(holder),
        Cast(F(value), TextField()),
        F(f"{verb}_by") if verb else Value(""),
        F(f"{verb}_at") if verb else Cast(Value(None), DateTimeField()),
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
