"""The only way a view, an API or an app above gets a change: others' drafts and restricted services stay unseen."""

from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404

from apps.accounts.models import Person
from apps.catalog.access import services_for
from apps.changes.models import Change, Item, Leg
from apps.changes.states import State
from apps.core.references import parse_number


def changes_for(person: Person) -> QuerySet[Change]:
    """The changes a person may see. A draft that was sent back had been seen already; its older revisions show every item it ever had."""
    hidden = Item.objects.filter(change=OuterRef("pk")).exclude(service__in=services_for(person))
    mine = Q(requester=person) | Q(requester__merged_into=person)
    return Change.objects.filter(mine | ~Q(state=State.DRAFT) | Q(submitted_at__isnull=False)).exclude(Exists(hidden))


def get_change(person: Person, ref: str) -> Change:
    """A change by what people call it, CHG-1042; 404 for one that is not there or not for this person to see."""
    number = parse_number(ref, prefix="CHG")
    found = changes_for(person).select_related("requester", "revision", "revision__author").filter(pk=number).first() if number else None
    if found is None:
        raise Http404
    return found


def get_leg(person: Person, public_id: UUID | str) -> Leg:
    """A current leg of a change that the person may see; 404 otherwise."""
    try:
        legs = Leg.objects.select_related("change", "service", "environment", "target")
        leg = legs.get(public_id=UUID(str(public_id)), is_current=True)
    except (Leg.DoesNotExist, ValueError) as error:
        raise Http404 from error
    if not changes_for(person).filter(pk=leg.change_id).exists():
        raise Http404
    return leg
