"""What signing asks of accounts: whose passkey it is, whether it may sign, and a proof by password and code.

Enrolling and removing are verbs; signing in is allauth's. Passkeys are rows of ours, codes lie in allauth's `Authenticator`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import check_password
from django.db import transaction
from django.db.models import Count, QuerySet

from apps.accounts.codes import step_of
from apps.accounts.counting import count_attempt, forget_attempts
from apps.accounts.envelopes import open_again
from apps.accounts.models import Passkey, Person
from apps.accounts.passwords import LONGEST as LONGEST_PASSWORD
from apps.accounts.relying_party import RelyingParty, relying_party
from apps.accounts.steps import NOT_PRESENT
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused, not_allowed, not_now
from apps.core.together import read_together

__all__ = [
    "Means",
    "PasskeyFacts",
    "ProvedByCode",
    "RelyingParty",
    "find_passkey",
    "has_authenticator_app",
    "means_in",
    "means_of",
    "means_rows",
    "passkeys_of",
    "prove_by_code",
    "prove_by_password",
    "relying_party",
    "spend_code",
    "stale_passkeys",
    "use_passkey",
]

MOST_ATTEMPTS, ATTEMPT_SECONDS = 5, 600
TOTP = Authenticator.Type.TOTP


@dataclass(frozen=True, slots=True)
class PasskeyFacts:
    """A passkey as it was enrolled, and how far its counter has come."""

    person_id: UUID
    credential_id: bytes
    public_key: bytes
    algorithm: int
    sign_count: int
    rp_id: str
    name: str
    created_at: datetime
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Means:
    """What a person can prove themselves with; a stale passkey was made for another PUBLIC_URL."""

    passkeys: int
    stale_passkeys: int
    authenticator_app: bool
    password: bool


@dataclass(frozen=True, slots=True)
class ProvedByCode:
    """A person proved themselves by password and code at this moment."""

    person_id: UUID
    proved_at: datetime
    method: str = "PASSWORD_AND_CODE"


class Spent(StrEnum):
    """What came of a code."""

    TAKEN = "TAKEN"
    WRONG = "WRONG"
    USED = "USED"


def passkeys_of(person: Person) -> list[PasskeyFacts]:
    """The passkeys that can sign now, oldest first."""
    return [_facts(row) for row in _standing(person).filter(rp_id=relying_party().id).order_by("enrolled_at", "pk")]


def find_passkey(credential_id: bytes) -> PasskeyFacts | None:
    """A passkey by its id, whoever it is of; removed ones too."""
    row = Passkey.objects.select_related("person").filter(credential_id=credential_id).first()
    return _facts(row) if row else None


def has_authenticator_app(person: Person) -> bool:
    """Whether one-time codes are enrolled."""
    return bool(_apps(person).exists())


def _apps(person: Person) -> QuerySet[Any, Any]:
    found: QuerySet[Any, Any] = Authenticator.objects.filter(user=person, type=TOTP)
    return found.values_list("type", flat=True)


def stale_passkeys() -> dict[str, int]:
    """How many standing passkeys were enrolled for another domain than PUBLIC_URL names, by that domain."""
    mine = Passkey.objects.filter(removed_at__isnull=True, person__is_active=True).exclude(rp_id=relying_party().id)
    return {row["rp_id"]: row["count"] for row in mine.values("rp_id").annotate(count=Count("pk"))}


def means_of(person: Person) -> Means:
    """All that a person can prove themselves with."""
    rows = means_rows(person)
    read_together(*rows)
    return means_in(person, *rows)


def means_rows(person: Person) -> tuple[QuerySet[Any, Any], QuerySet[Any, Any]]:
    """The same as rows that nobody has read yet, for a page that reads them together with others."""
    return _standing(person).values_list("rp_id", flat=True), _apps(person)


def means_in(person: Person, places: Collection[str], apps: Collection[str]) -> Means:
    """What such rows say."""
    mine = relying_party().id
    stale = sum(place != mine for place in places)
    return Means(len(places) - stale, stale, bool(apps), person.has_usable_password())


def use_passkey(credential_id: bytes, *, sign_count: int, user_verified: bool, by: Actor, at: datetime) -> PasskeyFacts:
    """Let a passkey whose assertion was verified sign once; joins the caller's transaction. Raises Refused."""
    row = Passkey.objects.select_for_update(of=("self",)).select_related("person").filter(credential_id=credential_id).first()
    if row is None:
        raise Refused(not_allowed("passkey_unknown", "This passkey is not enrolled here.", "Choose one that your profile page lists."))
    if row.person.public_id != by.person_id:
        raise Refused(
            not_allowed("passkey_not_yours", "This passkey is somebody else’s.", "Choose one that your profile page lists."),
            about=row.reference,
        )
    if row.removed_at is not None:
        raise Refused(
            not_now("passkey_removed", f"The passkey “{row.name}” was removed.", "Enrol it again on your profile page."),
            about=row.reference,
        )
    _check_use(row, sign_count=sign_count, user_verified=user_verified)
    row.sign_count, row.used_at = sign_count, at
    row.save(update_fields=["sign_count", "used_at"])
    return _facts(row)


def _check_use(row: Passkey, *, sign_count: int, user_verified: bool) -> None:
    here = relying_party().id
    if row.rp_id != here:
        said = not_now("passkey_elsewhere", f"This passkey was made for {row.rp_id}, and this is {here}.", "Enrol one here.")
    elif not user_verified:
        said = not_now("passkey_not_verified", "The passkey did not check that it was you.", "Use its PIN or fingerprint.")
    elif sign_count <= row.sign_count and (sign_count or row.sign_count):
        cure = "Remove this passkey, enrol another, and tell an administrator: somebody may hold a copy."
        said = not_now("passkey_counter_back", f"The passkey’s counter says {sign_count} after {row.sign_count}.", cure)
    else:
        return
    raise Refused(said, about=row.reference)


def prove_by_code(person: Person, *, password: str, code: str, by: Actor) -> ProvedByCode:
    """Check password and code in transactions of its own, so that a wrong guess is counted whatever comes after.

    Raises BadContent naming the field, Refused when there is nothing to check with or too much was guessed."""
    _check_presence(person, by=by)
    if not has_authenticator_app(person):
        raise Refused(
            not_now("no_authenticator_app", "You have no authenticator app enrolled.", "Enrol one, or a passkey, on your profile page.")
        )
    _check_password(person, password, by=by)
    with transaction.atomic(durable=True):
        at = database_now()
        spent = spend_code(person, code, at=at)
        if spent is Spent.TAKEN:
            forget_attempts(_key(person))
            return ProvedByCode(person.public_id, at)
    _refuse(person, "code used before" if spent is Spent.USED else "wrong code", by=by)
    raise BadContent({"code": [SAID[spent or Spent.WRONG]]})


def prove_by_password(person: Person, *, password: str, by: Actor) -> ProvedByCode:
    """The same by the password alone, for somebody without an authenticator app; a policy may ask for more."""
    _check_presence(person, by=by)
    if has_authenticator_app(person):
        raise Refused(not_now("code_needed", "You have an authenticator app.", "Sign with your password and the code it shows."))
    _check_password(person, password, by=by)
    forget_attempts(_key(person))
    return ProvedByCode(person.public_id, database_now(), "PASSWORD")


def _check_presence(person: Person, *, by: Actor) -> None:
    if by.person_id != person.public_id or not Person.objects.present().filter(pk=person.pk).exists():
        raise Refused(NOT_PRESENT)
    if not person.has_usable_password():
        raise Refused(
            not_now("no_password", "You have no password.", "Set one by “Forgotten password” on the sign-in page, or use a passkey.")
        )


def _check_password(person: Person, password: str, *, by: Actor) -> None:
    _count(person, by=by)
    if len(password) > LONGEST_PASSWORD or not check_password(password, person.password):
        _refuse(person, "wrong password", by=by)
        raise BadContent({"password": ["This is not your password."]})


SAID = {
    Spent.WRONG: "This is not the code your app shows now. Codes change every 30 seconds.",
    Spent.USED: "This code was used already. Wait for the next one; each code counts once.",
}


def spend_code(person: Person, code: str, *, at: datetime) -> Spent | None:
    """Take a code once, for whatever it is; None when no app is enrolled. Joins the caller's transaction."""
    row = Authenticator.objects.select_for_update().filter(user=person, type=TOTP).first()
    if row is None:
        return None
    step = step_of(open_again(row.data["secret"]), code, at=at)
    if step is None:
        return Spent.WRONG
    if step <= row.data.get("last_step", -1):
        return Spent.USED
    row.data["last_step"] = step
    row.save(update_fields=["data"])
    return Spent.TAKEN


def _count(person: Person, *, by: Actor) -> None:
    with transaction.atomic(durable=True):
        attempt = count_attempt(_key(person), seconds=ATTEMPT_SECONDS)
    if attempt.number == MOST_ATTEMPTS + 1:  # told once, not once per guess
        _refuse(person, "too many attempts", by=by)
    if attempt.number > MOST_ATTEMPTS:
        again = f"{attempt.until:%H:%M} UTC"
        raise Refused(not_now("too_many_attempts", f"{MOST_ATTEMPTS} attempts failed.", f"Try again after {again}, or use a passkey."))


def _refuse(person: Person, what: str, *, by: Actor) -> None:
    with transaction.atomic(durable=True):
        record(Event.PROOF_REFUSED, subject=person, by=by, at=database_now(), data={"what": what}, details={"name": person.name})


def _key(person: Person) -> str:
    return f"proof:{person.public_id}"


def _standing(person: Person) -> QuerySet[Passkey]:
    return Passkey.objects.filter(person=person, removed_at__isnull=True).select_related("person")


def _facts(row: Passkey) -> PasskeyFacts:
    return PasskeyFacts(
        person_id=row.person.public_id,
        credential_id=bytes(row.credential_id),
        public_key=bytes(row.public_key),
        algorithm=row.algorithm,
        sign_count=row.sign_count,
        rp_id=row.rp_id,
        name=row.name,
        created_at=row.enrolled_at,
        removed_at=row.removed_at,
    )
