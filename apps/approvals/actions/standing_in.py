"""Being away, and asking somebody to sign in one's place meanwhile."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from apps.accounts.models import Person
from apps.accounts.steps import person_by_actor
from apps.approvals.facts import stretch_of
from apps.approvals.models import Absence, Delegation
from apps.approvals.rules import LONGEST, Stretch, why_not_end_delegation, why_not_enter_absence, why_not_give_delegation
from apps.audit.attempts import recorded_refusal
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.facts import people_facts, person_facts
from apps.catalog.models import Service
from apps.catalog.steps import asker
from apps.changes.states import Kind
from apps.core.actors import Actor
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import BadContent, Refused, not_now
from apps.core.verbs import verb
from apps.schedule.rules import read_stretch

BOTH = ("person__merged_into", "delegate__merged_into")
CANCELLED = not_now("already_cancelled", "This absence is cancelled already.", "Nothing is left to do here.")


@verb
def enter_absence(
    *, person_id: int, starts_at: datetime, ends_at: datetime, by: Actor, time_zone: str = "UTC", now: datetime | None = None
) -> Absence:
    """Say when somebody does not sign; moments without a zone are read as the clock in TIME_ZONE.

    Nobody loses a right by it: it shows in forecasts, early enough to ask somebody else. Raises BadContent naming the field."""
    person, at = Person.objects.lock(person_id, now)
    if refusal := why_not_enter_absence(asker(by), of=person_facts(person)):
        raise Refused(refusal, about=person.reference)
    starts_at, ends_at = _read(starts_at, ends_at, time_zone=time_zone, now=at)
    absence = Absence.objects.create(person=person, starts_at=starts_at, ends_at=ends_at, entered_at=at, entered_by=actor_text(by))
    said = {"starts_at": starts_at, "ends_at": ends_at}
    record(Event.ABSENCE_ENTERED, subject=absence, by=by, at=at, refs=[person.reference], data=said, details={"name": person.name})
    return absence


@verb
def cancel_absence(*, absence_id: int, by: Actor, now: datetime | None = None) -> Absence:
    """Take an absence back: the person is there after all."""
    absence, at = Absence.objects.lock(absence_id, now)
    person = absence.person
    if refusal := why_not_enter_absence(asker(by), of=person_facts(person)):
        raise Refused(refusal, about=absence.reference)
    if absence.cancelled_at is not None:
        raise Refused(CANCELLED, about=absence.reference)
    absence.cancelled_at, absence.cancelled_by = at, actor_text(by)
    absence.save(update_fields=["cancelled_at", "cancelled_by"])
    record(Event.ABSENCE_CANCELLED, subject=absence, by=by, at=at, refs=[person.reference], details={"name": person.name})
    return absence


@recorded_refusal(Event.DELEGATION_REFUSED)
@verb
def give_delegation(
    *,
    delegate_id: int,
    starts_at: datetime,
    ends_at: datetime,
    by: Actor,
    service_ids: Collection[int] | None = None,
    kinds: Collection[str] | None = None,
    time_zone: str = "UTC",
    now: datetime | None = None,
) -> Delegation:
    """Ask somebody to sign in one's place, from when to when, for some services and kinds or for all.

    It gives a seat, never a way around: who stands in is kept out by what either of the two did, and fills one seat.
    Nothing begins and nobody signs meanwhile. Raises BadContent naming the field, and Refused."""
    take_calendar_guard()
    person, at = person_by_actor(by), now or database_now()
    delegate = Person.objects.select_related("merged_into").get(pk=delegate_id)
    starts_at, ends_at = _read(starts_at, ends_at, time_zone=time_zone, now=at)
    begins = max(starts_at, at)
    services, some_kinds = _scope(service_ids, kinds)
    facts = people_facts([person, delegate])
    who, other = facts[person.public_id], facts[delegate.public_id]
    wanted = Stretch(
        person_id=who.canonical_id,
        delegate_id=other.canonical_id,
        starts_at=begins,
        ends_at=ends_at,
        service_ids=None if services is None else frozenset(services),
        kinds=None if some_kinds is None else frozenset(some_kinds),
    )
    if refusal := why_not_give_delegation(who, delegate=other, wanted=wanted, standing=_standing(person, at)):
        raise Refused(refusal, about=person.reference)
    delegation = Delegation.objects.create(
        person=person, delegate=delegate, starts_at=begins, ends_at=ends_at, service_ids=services, kinds=some_kinds, given_at=at
    )
    _record(delegation, Event.DELEGATION_GIVEN, by=by, at=at)
    return delegation


@recorded_refusal(Event.DELEGATION_REFUSED)
@verb
def end_delegation(*, delegation_id: int, by: Actor, now: datetime | None = None) -> Delegation:
    """End it early. What was signed in that place while it held stays said; nothing more is."""
    take_calendar_guard()
    _, at = Delegation.objects.lock(delegation_id, now)
    delegation = Delegation.objects.select_related(*BOTH).get(pk=delegation_id)
    if refusal := why_not_end_delegation(asker(by), stretch=stretch_of(delegation)):
        raise Refused(refusal, about=delegation.reference)
    delegation.ended_at, delegation.ended_by = at, actor_text(by)
    delegation.save(update_fields=["ended_at", "ended_by"])
    _record(delegation, Event.DELEGATION_ENDED, by=by, at=at)
    return delegation


def _standing(person: Person, at: datetime) -> list[Stretch]:
    found = Delegation.objects.filter(person=person, ended_at__isnull=True, ends_at__gt=at).select_related(*BOTH)
    return [stretch_of(one) for one in found]


def _read(starts_at: datetime, ends_at: datetime, *, time_zone: str, now: datetime) -> tuple[datetime, datetime]:
    read = read_stretch(starts_at, ends_at, time_zone=time_zone)
    if read.ends_at <= now:
        raise BadContent({"ends_at": ["This is over already. Choose a later end."]})
    if read.ends_at - read.starts_at > LONGEST:
        raise BadContent({"ends_at": [f"At most {LONGEST.days} days at a time. Choose an earlier end."]})
    return read.starts_at, read.ends_at


def _scope(service_ids: Collection[int] | None, kinds: Collection[str] | None) -> tuple[list[int] | None, list[str] | None]:
    services = None if service_ids is None else sorted(set(service_ids))
    some_kinds = None if kinds is None else sorted(set(kinds))
    if services is not None and (not services or Service.objects.open_now().filter(pk__in=services).count() != len(services)):
        raise BadContent({"services": ["Choose services that are not retired, or none for all of them."]})
    if some_kinds is not None and (not some_kinds or not set(some_kinds) <= {kind.value for kind in Kind}):
        raise BadContent({"kinds": [f"Choose from {', '.join(Kind)}, or none for all of them."]})
    return services, some_kinds


def _record(delegation: Delegation, event: Event, *, by: Actor, at: datetime) -> UUID:
    services = Service.objects.filter(pk__in=delegation.service_ids or ()).order_by("pk")
    refs = [delegation.person.reference, delegation.delegate.reference, *(service.reference for service in services)]
    said = {"starts_at": delegation.starts_at, "ends_at": delegation.ends_at, "kinds": delegation.kinds}
    details = {"name": delegation.person.name, "delegate": delegation.delegate.name}
    return record(event, subject=delegation, by=by, at=at, refs=refs, data=said, details=details)
