"""The only way a view or an API gets a policy or a sign-off; what hangs on a change is seen with it."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import F, Model, Q, QuerySet
from django.http import Http404

from apps.accounts.access import has_role
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.facts import read_exceptions
from apps.approvals.models import Absence, Delegation, LegException, Policy, PolicyProposal, SignOff
from apps.catalog.access import services_hidden_from
from apps.changes.access import changes_for

LARGEST_KEY = 2**63

M = TypeVar("M", bound=Model)


def get_sign_off(person: Person, public_id: UUID | str) -> SignOff:
    """A sign-off of a change that the person may see; 404 otherwise."""
    try:
        sign_off = SignOff.objects.select_related("change", "revision", "person").get(public_id=public_id)
    except (SignOff.DoesNotExist, ValidationError) as error:
        raise Http404 from error
    if not changes_for(person).filter(pk=sign_off.change_id).exists():
        raise Http404
    return sign_off


def exceptions_for(person: Person) -> QuerySet[LegException]:
    """Every exception of a change that the person may see, the newest first."""
    return read_exceptions().filter(leg__change__in=changes_for(person)).order_by("-pk")


def get_exception(person: Person, number: int) -> LegException:
    """An exception by its number; 404 for one that is not there for this person."""
    found = exceptions_for(person).filter(pk=number).first() if number < LARGEST_KEY else None
    if found is None:
        raise Http404
    return found


def get_policy(person: Person, public_id: UUID | str) -> Policy:
    """A policy by public id, retired or not; 404 for an unknown one and for one of a service this person may not see."""
    try:
        return _seen(person, Policy.objects.select_related("environment", "service__team", "version__policy")).get(public_id=public_id)
    except (Policy.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def get_proposal(person: Person, public_id: UUID | str) -> PolicyProposal:
    """A proposal by public id, decided or not; 404 as for a policy."""
    found = PolicyProposal.objects.select_related(
        "environment", "service__team", "replaces__policy", "proposed_by__merged_into", "decided_by"
    )
    try:
        return _seen(person, found).get(public_id=public_id)
    except (PolicyProposal.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def policies(person: Person) -> QuerySet[Policy]:
    """Every policy that is not retired and that this person may see, by environment; the widest first."""
    found = _seen(person, Policy.objects.open_now()).select_related("environment", "service", "version")
    return found.order_by("environment__rank", "environment__name", F("service__name").asc(nulls_first=True), "kind", "least_risk", "pk")


def open_proposals(person: Person) -> QuerySet[PolicyProposal]:
    """What waits for another administrator, the newest first."""
    found = _seen(person, PolicyProposal.objects.filter(decided_at__isnull=True))
    return found.select_related("environment", "service", "proposed_by").order_by("-proposed_at")


def get_absence(public_id: UUID | str) -> Absence:
    """An absence by public id; 404 for an unknown one. Everybody may know who is away."""
    try:
        return Absence.objects.select_related("person").get(public_id=public_id)
    except (Absence.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def get_delegation(person: Person, public_id: UUID | str) -> Delegation:
    """A delegation this person has a part in, or an administrator any; 404 otherwise."""
    found = Delegation.objects.select_related("person", "delegate")
    if not has_role(person, Role.ADMINISTRATOR):
        found = found.filter(Q(person=person) | Q(delegate=person) | Q(person__merged_into=person) | Q(delegate__merged_into=person))
    try:
        return found.get(public_id=public_id)
    except (Delegation.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def absences(person: Person, *, now: datetime) -> QuerySet[Absence]:
    """When this person is away, now and later."""
    return Absence.objects.filter(person=person, cancelled_at__isnull=True, ends_at__gt=now).order_by("starts_at")


def away_people(*, now: datetime) -> QuerySet[Absence]:
    """Who is away now, by name."""
    found = Absence.objects.filter(cancelled_at__isnull=True, starts_at__lte=now, ends_at__gt=now)
    return found.select_related("person").order_by("person__name", "ends_at")


def delegations(*, now: datetime) -> QuerySet[Delegation]:
    """Who stands in for whom, now and later; filtered by the caller."""
    found = Delegation.objects.filter(ended_at__isnull=True, ends_at__gt=now)
    return found.select_related("person", "delegate").order_by("starts_at")


def _seen(person: Person, found: QuerySet[M]) -> QuerySet[M]:
    return found.exclude(service__in=services_hidden_from(person))
