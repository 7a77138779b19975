"""Decisions as people give them who are not what the test is about: a statement is made, proved by password and code, and signed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from allauth.mfa.models import Authenticator

from apps.accounts.envelopes import close
from apps.accounts.factors import ProvedByCode
from apps.accounts.models import Person
from apps.approvals.actions import agree_exception as agree_to_drafted
from apps.approvals.actions import ask_exception as ask_drafted
from apps.approvals.actions import draft_exception, draft_exception_agreement, draft_statement, sign_statement
from apps.approvals.models import LegException, SignOff
from apps.approvals.rules import SESSION
from apps.approvals.steps import Choice, Plea, Signed, signer
from apps.core.actors import Actor
from apps.core.locks import database_now
from tests.factories.accounts import hashed_password

SECRET = "JBSWY3DPEHPK3PXP"


def with_two_factors(person: Person) -> Person:
    """Somebody who proves themselves by password and code from now on."""
    if not person.has_usable_password():
        person.password = hashed_password()
        person.save(update_fields=["password"])
    kept = {"secret": close(SECRET), "last_step": -1}
    Authenticator.objects.get_or_create(user=person, type=Authenticator.Type.TOTP, defaults={"data": kept})
    return person


@contextmanager
def by_code(by: Actor) -> Iterator[Actor]:
    """Whoever acts by a session, as they sign: with a code, of an app that is theirs for this moment alone. Anybody else as they are.

    Nobody is left with an app they did not have: the test is about something else."""
    person = Person.objects.filter(public_id=by.person_id).first() if by.person_id and by.credential == SESSION else None
    if person is None:
        yield by
        return
    had = Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).exists()
    try:
        yield signer(with_two_factors(Person.objects.get(pk=person.pk)))
    finally:
        if not had:
            Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).delete()
            if not person.has_usable_password():
                Person.objects.filter(pk=person.pk).update(password=person.password)


def proved_now(data: bytes, by: Actor, now: datetime | None) -> Signed:
    """A statement with the proof that its person has just given."""
    assert by.person_id is not None
    return Signed(data, proved=ProvedByCode(by.person_id, now or database_now(), by.credential.upper()))


def approve_change(
    *, change_id: int, revision_digest: str, by: Actor, reason: str = "", meaning: str = "", now: datetime | None = None
) -> SignOff:
    """Agree to one revision."""
    return _decided(change_id, Choice("APPROVE", revision_digest, reason, meaning), by=by, now=now)


def reject_change(*, change_id: int, revision_digest: str, by: Actor, reason: str, now: datetime | None = None) -> SignOff:
    """Say no for good."""
    return _decided(change_id, Choice("REJECT", revision_digest, reason), by=by, now=now)


def _decided(change_id: int, choice: Choice, *, by: Actor, now: datetime | None) -> SignOff:
    with by_code(by) as hand:
        data = draft_statement(change_id=change_id, choice=choice, by=hand, now=now)
        return sign_statement(change_id=change_id, signed=proved_now(data, hand, now), by=hand, now=now)


def ask_exception(*, leg_id: int, plea: Plea, by: Actor, now: datetime | None = None) -> LegException:
    """Ask for an exception."""
    with by_code(by) as hand:
        data = draft_exception(leg_id=leg_id, plea=plea, by=hand, now=now)
        return ask_drafted(leg_id=leg_id, signed=proved_now(data, hand, now), by=hand, now=now)


def agree_exception(*, exception_id: int, by: Actor, now: datetime | None = None) -> LegException:
    """Be its second person."""
    with by_code(by) as hand:
        data = draft_exception_agreement(exception_id=exception_id, by=hand, now=now)
        return agree_to_drafted(exception_id=exception_id, signed=proved_now(data, hand, now), by=hand, now=now)
