"""The members of a policy's groups, as one service sees them."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q

from apps.accounts.models import Membership, Person, RoleGrant
from apps.approvals.rules import Group, PersonFacts, PolicyFacts
from apps.catalog.facts import people_facts
from apps.catalog.models import Ownership, Service


def people_about(service: Service, *, policy: PolicyFacts | None, more: Collection[int] = ()) -> dict[UUID, PersonFacts]:
    """Everybody in a group of the policy now, and the persons of `more`, by public id; in a fixed number of statements."""
    wanted = Q(pk__in=[*more])
    for group in {rule.group for rule in policy.rules} if policy else ():
        wanted |= _members(group, service)
    found = Person.objects.filter(wanted).select_related("merged_into").order_by("name", "pk")
    return people_facts(found, service)


def _members(group: Group, service: Service) -> Q:
    match group.kind:
        case "OWNER":
            rows = Ownership.objects.filter(service=service, ended_at__isnull=True)
            held = (rows if group.owner == "ANY" else rows.filter(kind=group.owner)).values("person")
            return Q(pk__in=held) | Q(merged__in=held)
        case "ROLE":
            scope = Q(team__isnull=True) | Q(team=service.team_id)
            return Q(pk__in=RoleGrant.objects.filter(scope, role=group.role, revoked_at__isnull=True).values("person"))
        case "TEAM":
            members = Membership.objects.filter(ended_at__isnull=True).filter(Q(team__public_id=group.team))
            return Q(pk__in=members.values("person"))
        case _:
            # Who was merged is asked as the one they were merged into; a rule goes on naming whom it named.
            named = Person.objects.filter(public_id__in=group.persons)
            return Q(pk__in=named.values("pk")) | Q(pk__in=named.filter(merged_into__isnull=False).values("merged_into"))
