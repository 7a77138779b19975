"""Which roles people have: for everything, for one team's services or for one service alone."""

from typing import Any

from django.db.models import BigIntegerField, F, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce

from apps.accounts.access import present_people
from apps.accounts.facts import standing_grants
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.catalog.models import Service, ServiceRole

Grants = frozenset[tuple[str, int | None, int | None]]  # a role, and the team or the service for which alone


def grant_rows(*people: int) -> QuerySet[Any, tuple[str, int | None, int | None]]:
    """What these persons who can act have, as rows that nobody has read yet, for a page that reads them together with others."""
    nothing = Cast(Value(None), BigIntegerField())
    granted = standing_grants().filter(person__in=people).values_list(F("role"), F("team_id"), nothing)
    return granted.union(standing_service_roles(*people).values_list(F("role"), nothing, F("service_id")), all=True)


def grants_of(*people: int) -> Grants:
    """The same as a set."""
    return frozenset(grant_rows(*people))


def standing_service_roles(*people: int) -> QuerySet[ServiceRole]:
    """The roles that persons have for one service each; what one of their accounts has, the person has."""
    same = Q(person__in=people) | Q(person__in=Person.objects.filter(merged_into__in=people).values("pk"))
    return ServiceRole.objects.filter(same, ended_at__isnull=True)


def roles_among(grants: Grants, service: Service) -> frozenset[str]:
    """The roles of these that hold for a service."""
    scopes = {(None, None), (service.team_id, None), (None, service.pk)}
    return frozenset(role for role, *scope in grants if tuple(scope) in scopes)


def roles_for(service: Service) -> list[tuple[str, Person]]:
    """Who has a role for this service alone: (role, the person they stand as), by role and name."""
    rows = ServiceRole.objects.filter(service=service, ended_at__isnull=True).select_related("person__merged_into")
    found = {(row.role, row.person.merged_into or row.person) for row in rows}
    return sorted(found, key=lambda each: (each[0], each[1].name, each[1].pk))


def people_with_role(role: Role, service: Service) -> QuerySet[Person]:
    """Who can act and has a role for a service: for everything, for its team or for it alone; by name."""
    own = ServiceRole.objects.filter(service=service, role=role, ended_at__isnull=True)
    granted = present_people(role, service.team).order_by().values("pk")
    holders = own.values(held_by=Coalesce("person__merged_into", "person"))
    return Person.objects.present().filter(Q(pk__in=granted) | Q(pk__in=holders)).order_by("name", "pk")
