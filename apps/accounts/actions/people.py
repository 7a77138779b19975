"""Verbs about persons themselves: joining, naming, leaving, coming back, becoming one."""

from datetime import datetime

from apps.accounts.access import person_by_identity
from apps.accounts.facts import are_two_administrators, subject_of
from apps.accounts.identities import IdentityKind, read_email
from apps.accounts.links import one_time_link
from apps.accounts.models import Person, RoleGrant
from apps.accounts.roles import Role
from apps.accounts.rules import (
    Act,
    gone,
    why_not_administer,
    why_not_deactivate_person,
    why_not_invite_person,
    why_not_merge_administrator,
    why_not_merge_persons,
    why_not_reactivate_person,
    why_not_rename_person,
)
from apps.accounts.second_hand import is_administrator, is_agreed
from apps.accounts.steps import LONGEST_NAME, add_person, asker, end_access, fold, give_role, set_password
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor, ActorKind
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import Refused, not_allowed
from apps.core.texts import read_line, read_text, read_zone
from apps.core.verbs import verb

LONGEST_REASON = 1000
ONLY_THE_HOST = not_allowed(
    "only_the_host", "Administrators are made this way on the host alone.", "Run `manage.py create_administrator` there."
)


@verb
def join_person(
    *, email: str, name: str, by: Actor, time_zone: str = "UTC", password: str | None = None, now: datetime | None = None
) -> Person:
    """Let a person join. Without a password they sign in by a one-time link first."""
    take_calendar_guard()
    now = now or database_now()
    if refusal := why_not_administer(asker(by)):
        raise Refused(refusal)
    return add_person(email=email, name=name, time_zone=time_zone, password=password, by=by, at=now)


@verb
def invite_person(person_id: int, *, by: Actor, now: datetime | None = None) -> str:
    """Make a one-time link for somebody who has never signed in; whoever made it is kept."""
    person, now = Person.objects.lock(person_id, now)
    if refusal := why_not_invite_person(asker(by), subject_of(person), has_signed_in=person.last_login is not None):
        raise Refused(refusal, about=person.reference)
    person.let_in_at, person.let_in_by = now, actor_text(by)
    person.save(update_fields=["let_in_at", "let_in_by"])
    record(Event.PERSON_INVITED, subject=person, by=by, at=now, details={"name": person.name})
    return one_time_link(person)


@verb
def create_administrator(*, email: str, name: str, by: Actor, password: str | None = None, now: datetime | None = None) -> Person:
    """The way back in from the host: make this person a present administrator, whoever they were before."""
    take_calendar_guard()
    now = now or database_now()
    if by.kind is not ActorKind.SYSTEM:
        raise Refused(ONLY_THE_HOST)
    known = person_by_identity(IdentityKind.EMAIL, read_email(email)) or Person.objects.filter(email=read_email(email)).first()
    if known is None:
        person = add_person(email=email, name=name, password=password, by=by, at=now)
    else:
        person, now = Person.objects.lock(known.pk, now)
        _bring_back(person, password, by=by, at=now)
    if not RoleGrant.objects.filter(person=person, role=Role.ADMINISTRATOR, revoked_at__isnull=True).exists():
        give_role(person, Role.ADMINISTRATOR, by=by, at=now)
    record(Event.ADMINISTRATOR_CREATED, subject=person, by=by, at=now, data={"was_known": known is not None}, details={"name": person.name})
    return person


def _bring_back(person: Person, password: str | None, *, by: Actor, at: datetime) -> None:
    if refusal := gone(subject_of(person)):
        raise Refused(refusal, about=person.reference)
    if not person.is_active:
        person.is_active, person.deactivated_at, person.inactive_until = True, None, at
        record(Event.PERSON_REACTIVATED, subject=person, by=by, at=at, details={"name": person.name})
    if password is not None:
        set_password(person, password)
        record(Event.PERSON_PASSWORD_CHANGED, subject=person, by=by, at=at, details={"name": person.name})
    person.save(update_fields=["is_active", "deactivated_at", "inactive_until", "password"])


@verb
def rename_person(person_id: int, *, name: str, by: Actor, time_zone: str | None = None, now: datetime | None = None) -> Person:
    """Change the printed name and the zone. What was signed before keeps the name of that day."""
    person, now = Person.objects.lock(person_id, now)
    if refusal := why_not_rename_person(asker(by), subject_of(person)):
        raise Refused(refusal, about=person.reference)
    printed, before = read_line(name, field="name", longest=LONGEST_NAME), person.name
    zone = person.time_zone if time_zone is None else read_zone(time_zone)
    if (printed, zone) == (before, person.time_zone):
        return person
    person.name, person.time_zone = printed, zone
    person.save(update_fields=["name", "time_zone"])
    record(Event.PERSON_RENAMED, subject=person, by=by, at=now, data={"time_zone": zone}, details={"name": printed, "old_name": before})
    return person


@verb
def deactivate_person(person_id: int, *, by: Actor, reason: str = "", now: datetime | None = None) -> Person:
    """End what a person can do from now on: sessions and tokens end, sign-offs of theirs that are not used yet stop counting.

    An administrator stays active until a second one does the same."""
    take_calendar_guard()
    person, now = Person.objects.lock(person_id, now)
    if refusal := why_not_deactivate_person(asker(by), subject_of(person)):
        raise Refused(refusal, about=person.reference)
    said = read_text(reason, field="reason", longest=LONGEST_REASON)
    if not is_agreed(person, Act.DEACTIVATE, by=by, at=now):
        return person
    person.is_active, person.deactivated_at = False, now
    person.save(update_fields=["is_active", "deactivated_at"])
    end_access(person, by=by, at=now)
    record(Event.PERSON_DEACTIVATED, subject=person, by=by, at=now, details={"name": person.name, "reason": said})
    return person


@verb
def reactivate_person(person_id: int, *, by: Actor, reason: str = "", now: datetime | None = None) -> Person:
    """Let a person act again, with the roles and teams they still have; they sign in anew, and sign anew what they had signed."""
    take_calendar_guard()
    person, now = Person.objects.lock(person_id, now)
    if refusal := why_not_reactivate_person(asker(by), subject_of(person)):
        raise Refused(refusal, about=person.reference)
    said = read_text(reason, field="reason", longest=LONGEST_REASON)
    if not is_agreed(person, Act.REACTIVATE, by=by, at=now):
        return person
    person.is_active, person.deactivated_at, person.inactive_until = True, None, now
    person.save(update_fields=["is_active", "deactivated_at", "inactive_until"])
    record(Event.PERSON_REACTIVATED, subject=person, by=by, at=now, details={"name": person.name, "reason": said})
    return person


@verb
def merge_persons(keep_id: int, gone_id: int, *, by: Actor, now: datetime | None = None) -> Person:
    """Two rows were one human being: everything of `gone` becomes that of `keep`. This cannot be undone."""
    take_calendar_guard()
    Person.objects.lock(min(keep_id, gone_id))  # both locked in one order
    gone_one, now = Person.objects.lock(gone_id, now)
    keep = Person.objects.get(pk=keep_id)
    going = subject_of(gone_one)
    if refusal := why_not_merge_persons(asker(by), subject_of(keep), going) or why_not_merge_administrator(
        going, are_two=are_two_administrators(), is_administrator=is_administrator(gone_one)
    ):
        raise Refused(refusal, about=gone_one.reference)
    fold(gone_one, keep, by=by, at=now)
    return keep
