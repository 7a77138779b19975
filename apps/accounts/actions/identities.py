"""Verbs about what stands for a person elsewhere."""

from datetime import datetime

from apps.accounts.facts import subject_of
from apps.accounts.identities import IdentityKind
from apps.accounts.models import Identity, Person
from apps.accounts.rules import why_not_change_identity, why_not_remove_identity
from apps.accounts.steps import add_identity, asker
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.locks import take_calendar_guard
from apps.core.refusals import Refused
from apps.core.verbs import verb


@verb
def add_person_identity(
    person_id: int, *, kind: IdentityKind, value: str, by: Actor, issuer: str = "", now: datetime | None = None
) -> Identity:
    """Let a mailbox, git author, CI actor or (issuer, subject) stand for a person; an administrator vouches for it."""
    take_calendar_guard()
    person, now = Person.objects.lock(person_id, now)
    if refusal := why_not_change_identity(asker(by), subject_of(person)):
        raise Refused(refusal, about=person.reference)
    return add_identity(person, kind=kind, value=value, issuer=issuer, by=by, at=now)


@verb
def remove_identity(identity_id: int, *, by: Actor, now: datetime | None = None) -> None:
    """Let something stand for a person no longer; the stream keeps that it did."""
    take_calendar_guard()
    identity = Identity.objects.select_related("person").get(pk=identity_id)
    person, now = Person.objects.lock(identity.person_id, now)
    signs_in = identity.kind == IdentityKind.EMAIL and identity.value == person.email
    if refusal := why_not_remove_identity(asker(by), subject_of(person), signs_in=signs_in):
        raise Refused(refusal, about=person.reference)
    identity.delete()
    details = {"name": person.name, "issuer": identity.issuer, "value": identity.value}
    record(Event.IDENTITY_REMOVED, subject=person, by=by, at=now, data={"kind": identity.kind}, details=details)
