"""The members of a policy's groups as one service sees them, and who stands in for them now."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Now

from apps.accounts.models import Membership, Person, RoleGrant
from apps.approvals.models import Delegation
from apps.approvals.rules import Group, Mandate, PersonFacts, PolicyFacts
from apps.catalog.facts import people_facts
from apps.catalog.models import Ownership, Service, ServiceRole
from apps.core.together import read_together


def people_about(
    service: Service, *, policy: PolicyFacts | None, kind: str, more: Collection[int] = (), now: datetime | None = None
) -> tuple[dict[UUID, PersonFacts], tuple[Mandate, ...]]:
    """Everybody in a group of the policy now, who stands in for one of them for this service and kind, and the persons of
    `more`, by public id; and the mandates of those who stand in. A fixed number of statements."""
    wanted = Q()
    for group in {rule.group for rule in policy.rules} if policy else ():
        wanted |= _members(group, service)
    mandates = _delegations(wanted, service, kind=kind, now=now) if wanted else Delegation.objects.none()
    also = Q(pk__in=mandates.order_by().values(who=Coalesce("delegate__merged_into", "delegate"))) if wanted else Q()
    found = Person.objects.filter(wanted | also | Q(pk__in={*more})).select_related("merged_into").order_by("name", "pk")
    read_together(mandates, found)
    return people_facts(found, service), tuple(_mandate(one) for one in mandates)


def standing_delegations(now: datetime | None = None) -> QuerySet[Delegation]:
    """The delegations that hold at a moment, or right now by the database's clock."""
    at = now or Now()
    return Delegation.objects.filter(ended_at__isnull=True, starts_at__lte=at, ends_at__gt=at)


def _delegations(members: Q, service: Service, *, kind: str, now: datetime | None) -> QuerySet[Delegation]:
    scope = (Q(service_ids__isnull=True) | Q(service_ids__contains=[service.pk])) & (Q(kinds__isnull=True) | Q(kinds__contains=[kind]))
    held = Person.objects.filter(members).values("pk")
    found = standing_delegations(now).filter(scope, Q(person__in=held) | Q(person__merged_into__in=held))
    return found.select_related("person__merged_into", "delegate__merged_into").order_by("given_at", "pk")


def _mandate(one: Delegation) -> Mandate:
    person, delegate = one.person.merged_into or one.person, one.delegate.merged_into or one.delegate
    return Mandate(one.public_id, person.public_id, delegate.public_id)


def _members(group: Group, service: Service) -> Q:
    match group.kind:
        case "OWNER":
            rows = Ownership.objects.filter(service=service, ended_at__isnull=True)
            held = (rows if group.owner == "ANY" else rows.filter(kind=group.owner)).values("person")
            return Q(pk__in=held) | Q(merged__in=held)
        case "ROLE":
            scope = Q(team__isnull=True) | Q(team=service.team_id)
            own = ServiceRole.objects.filter(service=service, role=group.role, ended_at__isnull=True).values("person")
            granted = RoleGrant.objects.filter(scope, role=group.role, revoked_at__isnull=True).values("person")
            return Q(pk__in=granted) | Q(pk__in=own) | Q(merged__in=own)
        case "TEAM":
            members = Membership.objects.filter(ended_at__isnull=True).filter(Q(team__public_id=group.team))
            return Q(pk__in=members.values("person"))
        case _:
            # Who was merged is asked as the one they were merged into; a rule goes on naming whom it named.
            named = Person.objects.filter(public_id__in=group.persons)
            return Q(pk__in=named.values("pk")) | Q(pk__in=named.filter(merged_into__isnull=False).values("merged_into"))
