"""The only way to an incident: for people who see its service."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from apps.accounts import access as accounts
from apps.accounts.facts import standing_grants
from apps.accounts.models import Person
from apps.catalog import access as catalog
from apps.catalog.access import services_for
from apps.catalog.grants import standing_service_roles
from apps.catalog.models import Arrival, Target
from apps.core.references import Reference, with_public_ids
from apps.deployments.access import refs_of_work
from apps.incidents.models import Incident, TimelineEntry
from apps.incidents.rules import LEADING

ARRIVALS_SHOWN = 5


def incidents_for(person: Person) -> QuerySet[Incident]:
    """Incidents of the services a person sees."""
    seen = Incident.objects.filter(target__service__in=services_for(person))
    return seen.select_related("target__service__team", "target__environment")


def get_incident(person: Person, number: int) -> Incident:
    """One incident by its number; 404 unless the person sees its service."""
    found = incidents_for(person).filter(pk=number).first()
    if found is None:
        raise Http404
    return found


def get_timeline_entry(person: Person, number: int, entry_id: UUID) -> TimelineEntry:
    """One note of an incident; 404 unless the person sees its service."""
    found = TimelineEntry.objects.filter(incident=get_incident(person, number), public_id=entry_id).first()
    if found is None:
        raise Http404
    return found


def standing_incident(target: Target) -> Incident | None:
    """The incident of a target that is not resolved, locked for whoever writes it; the caller has locked the target."""
    return Incident.objects.select_for_update(of=("self",)).filter(target=target).exclude(state="RESOLVED").first()


def hold_incident(incident_id: int, now: datetime | None = None) -> tuple[Incident, datetime]:
    """Lock an incident behind its target, in the one order every writer keeps; raises DoesNotExist."""
    target_id = Incident.objects.values_list("target_id", flat=True).get(pk=incident_id)
    target = Target.objects.select_for_update(of=("self",)).select_related("service", "environment").get(pk=target_id)
    incident, now = Incident.objects.lock(incident_id, now)
    incident.target = target
    return incident, now


def arrivals_before(incident: Incident) -> list[Arrival]:
    """What reached any target of the service before it began, newest first: the first thing to look at."""
    arrivals = Arrival.objects.filter(target__service=incident.target.service, at__lte=incident.opened_at)
    return list(arrivals.select_related("target__environment", "target__service").order_by("-at", "-pk")[:ARRIVALS_SHOWN])


def may_stop_something(person: Person) -> bool:
    """Whether the person may stop deployments of any service: the form asks only those."""
    return (
        standing_grants().filter(person=person, role__in=LEADING).exists()
        or standing_service_roles(person.pk).filter(role__in=LEADING).exists()
    )


def names_of(references: Iterable[Reference], *, reader: Person) -> dict[str, str]:
    """What to print for everything an entry may name, by the reference's text; what the reader does not see has no name."""
    named = with_public_ids(references)
    ids = [name.id for name in named if name.kind == "incident"]
    own = {incident.reference: incident.ref for incident in incidents_for(reader).filter(public_id__in=ids)} if ids else {}
    found = {**accounts.names_of(named), **catalog.names_of(named), **refs_of_work(named, reader=reader), **own}
    return {str(name): text for name, text in found.items()}
