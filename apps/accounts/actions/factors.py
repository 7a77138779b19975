"""Verbs about what a person proves themselves with: passkeys, the authenticator app, recovery codes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.accounts import enrolment
from apps.accounts.codes import step_of
from apps.accounts.factors import has_authenticator_app
from apps.accounts.facts import subject_of
from apps.accounts.models import Passkey, Person
from apps.accounts.relying_party import relying_party
from apps.accounts.rules import why_not_enrol, why_not_reset_factors
from apps.accounts.steps import asker, person_by_actor
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.refusals import BadContent, Refused, not_now
from apps.core.texts import read_line, read_text
from apps.core.verbs import verb

LONGEST_KEY_NAME = 60
MOST_PASSKEYS = 20
LONGEST_REASON = 1000
ENOUGH = not_now("enough_passkeys", f"You have {MOST_PASSKEYS} passkeys.", "Remove one that you no longer use.")
HAS_APP = not_now("has_authenticator_app", "You have an authenticator app already.", "Remove it first; another one replaces it.")
NO_FACTOR = not_now("no_factor", "You have no passkey and no authenticator app that codes could recover.", "Enrol one first.")
GONE = not_now("passkey_gone", "This passkey is removed already.")


@verb
def enrol_passkey(
    *,
    name: str,
    credential: object,
    state: Mapping[str, Any] | None,
    by: Actor,
    now: datetime | None = None,
) -> Passkey:
    """Enrol a passkey of one's own; `state` is what the browser was asked."""
    person, now = _oneself(by, now)
    if refusal := relying_party().refusal:
        raise Refused(refusal, about=person.reference)
    if person.passkeys.filter(removed_at__isnull=True).count() >= MOST_PASSKEYS:
        raise Refused(ENOUGH, about=person.reference)
    said = read_line(name, field="name", longest=LONGEST_KEY_NAME)
    data, kept = enrolment.read_answer(credential, state)
    return enrolment.add_passkey(person, data, credential=kept, name=said, by=by, at=now)


@verb
def rename_passkey(passkey_id: int, *, name: str, by: Actor, now: datetime | None = None) -> Passkey:
    """Call a passkey of one's own by another name; raises BadContent."""
    person, now = _oneself(by, now)
    row = person.passkeys.select_for_update(of=("self",)).get(pk=passkey_id)
    if row.removed_at is not None:
        raise Refused(GONE, about=row.reference)
    said, before = read_line(name, field="name", longest=LONGEST_KEY_NAME), row.name
    if said != before:
        row.name = said
        row.save(update_fields=["name"])
        record(Event.PASSKEY_RENAMED, subject=person, by=by, at=now, details={"name": said, "old_name": before})
    return row


@verb
def remove_passkey(passkey_id: int, *, by: Actor, now: datetime | None = None) -> Passkey:
    """Remove a passkey of one's own; what it signed stays signed."""
    person, now = _oneself(by, now)
    row = person.passkeys.select_for_update(of=("self",)).select_related("person").get(pk=passkey_id)
    if row.removed_at is not None:
        raise Refused(GONE, about=row.reference)
    enrolment.end_passkey(row, by=by, at=now)
    return row


@verb
def enrol_authenticator_app(*, secret: str, code: str, by: Actor, now: datetime | None = None) -> None:
    """Enrol the app that shows this code for the secret it was given."""
    person, now = _oneself(by, now)
    if has_authenticator_app(person):
        raise Refused(HAS_APP, about=person.reference)
    step = step_of(secret, code, at=now)
    if step is None:
        raise BadContent(
            {"code": ["This is not the code your app shows now. Codes change every 30 seconds; look at your phone’s clock too."]}
        )
    enrolment.add_app(person, secret, step=step, by=by, at=now)


@verb
def remove_authenticator_app(*, by: Actor, now: datetime | None = None) -> None:
    """Remove one's authenticator app."""
    person, now = _oneself(by, now)
    if not enrolment.end_app(person, by=by, at=now):
        raise Refused(not_now("no_authenticator_app", "You have no authenticator app."), about=person.reference)


@verb
def make_recovery_codes(*, by: Actor, now: datetime | None = None) -> list[str]:
    """Make recovery codes for oneself; they are told once, and those made before are void."""
    person, now = _oneself(by, now)
    if not has_authenticator_app(person) and not person.passkeys.filter(removed_at__isnull=True).exists():
        raise Refused(NO_FACTOR, about=person.reference)
    return enrolment.make_codes(person, by=by, at=now)


@verb
def reset_factors(person_id: int, *, by: Actor, reason: str = "", now: datetime | None = None) -> int:
    """End every factor of somebody who lost them; they sign in with the password alone and enrol anew."""
    person, now = Person.objects.lock(person_id, now)
    held = person.passkeys.filter(removed_at__isnull=True).count() + has_authenticator_app(person)
    if refusal := why_not_reset_factors(asker(by), subject_of(person), factors=held):
        raise Refused(refusal, about=person.reference)
    said = read_text(reason, field="reason", longest=LONGEST_REASON)
    gone = enrolment.end_factors(person, by=by, at=now)
    record(Event.PERSON_FACTORS_RESET, subject=person, by=by, at=now, data={"count": gone}, details={"name": person.name, "reason": said})
    return gone


def _oneself(by: Actor, now: datetime | None) -> tuple[Person, datetime]:
    """The acting person, locked: of two enrolments at once the later sees the earlier."""
    if refusal := why_not_enrol(asker(by)):
        raise Refused(refusal)
    return Person.objects.lock(person_by_actor(by).pk, now)
