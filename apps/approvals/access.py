"""The only way a view or an API gets a policy or a sign-off; what hangs on a change is seen with it."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404

from apps.accounts.models import Person
from apps.approvals.models import Policy, SignOff
from apps.changes.access import changes_for


def get_sign_off(person: Person, public_id: UUID | str) -> SignOff:
    """A sign-off of a change that the person may see; 404 otherwise."""
    try:
        sign_off = SignOff.objects.select_related("change", "revision", "person").get(public_id=public_id)
    except (SignOff.DoesNotExist, ValidationError) as error:
        raise Http404 from error
    if not changes_for(person).filter(pk=sign_off.change_id).exists():
        raise Http404
    return sign_off


def get_policy(public_id: UUID | str) -> Policy:
    """A policy by public id, retired or not; 404 for an unknown one. Policies hide nothing from who is signed in."""
    try:
        return Policy.objects.select_related("environment", "service", "version").get(public_id=public_id)
    except (Policy.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def policies() -> QuerySet[Policy]:
    """Every policy that is not retired, by environment; the widest first."""
    found = Policy.objects.open_now().select_related("environment", "service", "version")
    return found.order_by("environment__rank", "service__name", "kind", "pk")
