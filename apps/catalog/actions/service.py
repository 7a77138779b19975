"""Verbs about services, who owns them, and who has a role for one of them alone."""

from datetime import datetime
from typing import Unpack

from django.db.models import Q, QuerySet

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.facts import person_facts, service_facts
from apps.catalog.inputs import ServiceFields
from apps.catalog.models import OwnerKind, Ownership, Service, ServiceAlias, ServiceRole
from apps.catalog.rules import (
    why_not_change_place,
    why_not_configure,
    why_not_end_ownership,
    why_not_give_role,
    why_not_retire_place,
    why_not_start_ownership,
    why_not_take_role,
)
from apps.catalog.steps import add_service, asker, read_service, write_changes
from apps.core.actors import Actor
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import Refused
from apps.core.verbs import verb


@verb
def create_service(*, by: Actor, now: datetime | None = None, **given: Unpack[ServiceFields]) -> Service:
    """Add a service; `slug`, `name` and `team_id` are needed. Owners and targets are named next."""
    take_calendar_guard()
    if refusal := why_not_configure(asker(by)):
        raise Refused(refusal)
    return add_service(given, by=by, at=now or database_now())


@verb
def change_service(service_id: int, *, by: Actor, now: datetime | None = None, **given: Unpack[ServiceFields]) -> Service:
    """Change what is given. An old slug keeps working and is never another service's."""
    take_calendar_guard()
    service, now = Service.objects.lock(service_id, now)
    if refusal := why_not_change_place(asker(by), service_facts(service)):
        raise Refused(refusal, about=service.reference)
    found = read_service(given, of=service)
    if found.get("slug", service.slug) != service.slug:
        ServiceAlias.objects.get_or_create(slug=service.slug, defaults={"service": service})
        ServiceAlias.objects.filter(slug=found["slug"]).delete()  # its own old one, taken back
    team_before = service.team
    data, details = write_changes(service, found)
    if data["fields"]:
        about = [team_before.reference, service.team.reference]
        record(Event.SERVICE_CHANGED, subject=service, refs=about, by=by, at=now, data=data, details=details)
    return service


@verb
def retire_service(service_id: int, *, by: Actor, now: datetime | None = None) -> Service:
    """End a service: the gate denies every version of it from now on."""
    take_calendar_guard()
    service, now = Service.objects.lock(service_id, now)
    if refusal := why_not_retire_place(asker(by), service_facts(service)):
        raise Refused(refusal, about=service.reference)
    service.retired_at = now
    service.save(update_fields=["retired_at"])
    record(Event.SERVICE_RETIRED, subject=service, by=by, at=now, details={"name": service.name})
    return service


@verb
def start_ownership(service_id: int, person_id: int, *, kind: OwnerKind, by: Actor, now: datetime | None = None) -> Ownership:
    """Name a business or technical owner. Naming oneself is kept: it excludes from signing what is open already."""
    take_calendar_guard()
    service, now = Service.objects.lock(service_id, now)
    owner = Person.objects.get(pk=person_id)
    stands = _standing(service, owner, kind).exists()
    if refusal := why_not_start_ownership(asker(by), service_facts(service), owner=person_facts(owner), stands=stands):
        raise Refused(refusal, about=service.reference)
    ownership = Ownership.objects.create(service=service, person=owner, kind=kind, started_at=now, started_by=actor_text(by))
    data = {"kind": kind, "given_to_self": by.person_id == owner.public_id}
    details = {"name": owner.name, "service": service.name}
    record(Event.OWNERSHIP_STARTED, subject=service, refs=[owner.reference], by=by, at=now, data=data, details=details)
    return ownership


@verb
def end_ownership(service_id: int, person_id: int, *, kind: OwnerKind, by: Actor, now: datetime | None = None) -> None:
    """End an ownership; sign-offs given as this owner stop counting."""
    take_calendar_guard()
    service, now = Service.objects.lock(service_id, now)
    owner = Person.objects.get(pk=person_id)
    standing = _standing(service, owner, kind)
    if refusal := why_not_end_ownership(asker(by), owner=person_facts(owner), stands=standing.exists()):
        raise Refused(refusal, about=service.reference)
    standing.update(ended_at=now, ended_by=actor_text(by))
    details = {"name": owner.name, "service": service.name}
    record(Event.OWNERSHIP_ENDED, subject=service, refs=[owner.reference], by=by, at=now, data={"kind": kind}, details=details)


def _standing(service: Service, owner: Person, kind: OwnerKind) -> QuerySet[Ownership]:
    own = Q(person=owner) | Q(person__merged_into=owner)
    return Ownership.objects.filter(own, service=service, kind=kind, ended_at__isnull=True)


@verb
def give_service_role(service_id: int, person_id: int, *, role: Role, by: Actor, now: datetime | None = None) -> ServiceRole:
    """Give a role for one service alone. A role given to oneself is kept: it excludes from signing what is open already."""
    take_calendar_guard()
    service, now = Service.objects.lock(service_id, now)
    holder = Person.objects.get(pk=person_id)
    stands = _held(service, holder, role).exists()
    if refusal := why_not_give_role(asker(by), service_facts(service), holder=person_facts(holder), role=role, stands=stands):
        raise Refused(refusal, about=service.reference)
    given = ServiceRole.objects.create(service=service, person=holder, role=role, started_at=now, started_by=actor_text(by))
    _record_role(Event.ROLE_GRANTED, service, holder, role=role, by=by, at=now)
    return given


@verb
def end_service_role(service_id: int, person_id: int, *, role: Role, by: Actor, now: datetime | None = None) -> None:
    """Take a role for one service away; it counts from the next decision on."""
    take_calendar_guard()
    service, now = Service.objects.lock(service_id, now)
    holder = Person.objects.get(pk=person_id)
    standing = _held(service, holder, role)
    if refusal := why_not_take_role(asker(by), holder=person_facts(holder), role=role, stands=standing.exists()):
        raise Refused(refusal, about=service.reference)
    standing.update(ended_at=now, ended_by=actor_text(by))
    _record_role(Event.ROLE_REVOKED, service, holder, role=role, by=by, at=now)


def _held(service: Service, holder: Person, role: Role) -> QuerySet[ServiceRole]:
    own = Q(person=holder) | Q(person__merged_into=holder)
    return ServiceRole.objects.filter(own, service=service, role=role, ended_at__isnull=True)


def _record_role(event: Event, service: Service, holder: Person, *, role: Role, by: Actor, at: datetime) -> None:
    data = {"role": role, "team": None, "granted_to_self": by.person_id == holder.public_id}
    details = {"name": holder.name, "service": service.name}
    record(event, subject=holder, refs=[service.reference], by=by, at=at, data=data, details=details)
