"""What a notification can be about, by reference, and who may see it."""

from collections.abc import Iterable

from apps.accounts.models import Person
from apps.approvals.facts import read_exceptions
from apps.approvals.models import Delegation, LegException
from apps.catalog.access import may_see
from apps.catalog.models import Service
from apps.changes.access import changes_for
from apps.changes.models import Change
from apps.core.locks import database_now
from apps.core.references import Reference, with_public_ids
from apps.deployments.access import WITH_PLACES
from apps.deployments.models import Deployment
from apps.gate.proposals import Proposal, proposal_named
from apps.incidents.models import Incident

Subject = Change | Deployment | Incident | Delegation | LegException | Person | Proposal


def change_named(reference: Reference | None) -> Change | None:
    """A change by reference; None for what names none."""
    if reference is None or reference.kind != "change" or not with_public_ids([reference]):
        return None
    return Change.objects.select_related("requester__merged_into", "revision").filter(public_id=reference.id).first()


def deployment_named(reference: Reference) -> Deployment | None:
    """A deployment by reference."""
    if reference.kind != "deployment" or not with_public_ids([reference]):
        return None
    places = (*WITH_PLACES, "leg__change__requester__merged_into")
    return Deployment.objects.select_related(*places).filter(public_id=reference.id).first()


def incident_named(reference: Reference) -> Incident | None:
    """An incident by reference."""
    if reference.kind != "incident" or not with_public_ids([reference]):
        return None
    return Incident.objects.select_related("target__service__team", "target__environment").filter(public_id=reference.id).first()


def delegation_named(reference: Reference) -> Delegation | None:
    """A delegation by reference."""
    if reference.kind != "delegation" or not with_public_ids([reference]):
        return None
    return Delegation.objects.select_related("person", "delegate__merged_into").filter(public_id=reference.id).first()


def exception_named(reference: Reference) -> LegException | None:
    """An exception by reference."""
    if reference.kind != "exception" or not with_public_ids([reference]):
        return None
    return read_exceptions().filter(public_id=reference.id).first()


def person_named(reference: Reference | None) -> Person | None:
    """A person by reference; whoever was merged is who they are now."""
    if reference is None or reference.kind != "person" or not with_public_ids([reference]):
        return None
    found = Person.objects.select_related("merged_into").filter(public_id=reference.id).first()
    return (found.merged_into or found) if found else None


def subject_named(text: str) -> Subject | None:
    """What a stored reference names; None where it names nothing that notifications are about."""
    kind, _, public_id = text.partition(":")
    named = Reference(kind, public_id)
    return (
        change_named(named)
        or deployment_named(named)
        or incident_named(named)
        or delegation_named(named)
        or exception_named(named)
        or person_named(named)
        or proposal_named(named, now=database_now())
    )


def services_of(subject: Subject) -> list[Service]:
    """The services it touches, now or in any revision."""
    if isinstance(subject, Change):
        return [*Service.objects.filter(pk__in=subject.items.values("service")).select_related("team").order_by("name", "pk")]
    if isinstance(subject, LegException):
        return [subject.leg.service]
    return [] if isinstance(subject, Delegation | Person | Proposal) else [subject.target.service]


def is_restricted(subject: Subject) -> bool:
    """Whether only some may see it, so that a mail says no more than that it is there."""
    return any(service.is_restricted for service in services_of(subject))


def may_be_told(person: Person, subject: Subject) -> bool:
    """Whether this person may see it: what they may not open, they are not told."""
    if isinstance(subject, Change):
        return changes_for(person).filter(pk=subject.pk).exists()
    if isinstance(subject, LegException):
        return changes_for(person).filter(pk=subject.leg.change_id).exists()
    if isinstance(subject, Delegation | Person | Proposal):
        return True  # it is told to nobody but those it is about
    return may_see(person, subject.target.service)


def who_may_be_told(people: Iterable[Person], subject: Subject) -> list[Person]:
    """Those of them who may see it; asked one by one only where a service is restricted."""
    return [person for person in people if may_be_told(person, subject)] if is_restricted(subject) else [*people]
