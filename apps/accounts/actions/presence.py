"""Verbs about where and when a person is there: browsers signed in, working hours."""

from collections.abc import Collection
from datetime import datetime, time

from apps.accounts.facts import subject_of
from apps.accounts.hours import read_hours
from apps.accounts.models import Person, SignIn, WorkingHours
from apps.accounts.presence import end_sessions
from apps.accounts.rules import why_not_rename_person
from apps.accounts.steps import asker, person_by_actor
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.refusals import Refused
from apps.core.verbs import verb


@verb
def end_sign_ins(sign_in_ids: Collection[int], *, by: Actor, now: datetime | None = None) -> int:
    """Sign browsers of one's own out; returns how many were signed in."""
    person, now = Person.objects.lock(person_by_actor(by).pk, now)
    count = end_sessions(SignIn.objects.filter(person=person, pk__in=sign_in_ids))
    if count:
        record(Event.SESSIONS_ENDED, subject=person, by=by, at=now, data={"count": count}, details={"name": person.name})
    return count


@verb
def set_working_hours(
    person_id: int, *, days: Collection[int], begins: time, ends: time, by: Actor, now: datetime | None = None
) -> WorkingHours:
    """Say when a person works, in their own zone; reminders wait for it."""
    person, now = Person.objects.lock(person_id, now)
    if refusal := why_not_rename_person(asker(by), subject_of(person)):
        raise Refused(refusal, about=person.reference)
    wanted, first, last = read_hours(days, begins, ends)
    known = WorkingHours.objects.filter(person=person).first()
    if known is not None and (known.days, known.begins, known.ends) == (wanted, first, last):
        return known
    hours, _ = WorkingHours.objects.update_or_create(person=person, defaults={"days": wanted, "begins": first, "ends": last})
    data = {"days": wanted, "begins": f"{first:%H:%M}", "ends": f"{last:%H:%M}"}
    record(Event.PERSON_HOURS_CHANGED, subject=person, by=by, at=now, data=data, details={"name": person.name})
    return hours
