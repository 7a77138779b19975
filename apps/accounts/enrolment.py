"""Enrolling and ending what a person proves themselves with: plain functions that join the caller's transaction and record."""

import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AuthenticatorData,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialParameters,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from apps.accounts.envelopes import close
from apps.accounts.models import Passkey, Person
from apps.accounts.relying_party import relying_party
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.assertions import public_key_of
from apps.core.refusals import BadContent

Kind = Authenticator.Type
ALGORITHMS = (-7, -8, -257)  # ES256, EdDSA, RS256
# What reading an answer that no browser gives may raise: it is JSON, base64, CBOR and COSE, one inside the other.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, struct.error, OverflowError, RecursionError)
NOT_TAKEN = "The browser’s answer does not fit what was asked. Begin again on this page."


def server() -> Fido2Server:
    """What checks answers of authenticators: our domain, and exactly our origin."""
    here = relying_party()
    made = Fido2Server(PublicKeyCredentialRpEntity(id=here.id, name=here.name), verify_origin=lambda origin: bool(origin == here.origin))
    made.allowed_algorithms = [PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=alg) for alg in ALGORITHMS]
    return made


def ask_for_passkey(person: Person) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the browser is asked, and what must be remembered until it answers. The authenticator keeps the passkey and checks the person."""
    handle = user_pk_to_url_str(person).encode()  # allauth finds the person by it
    user = PublicKeyCredentialUserEntity(id=handle, name=person.email, display_name=person.name)
    asked, state = server().register_begin(
        user=user,
        credentials=[_descriptor(row) for row in _here(person)],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
        extensions={"credProps": True},
    )
    return dict(asked), dict(state)


def read_answer(credential: object, state: Mapping[str, Any] | None) -> tuple[AuthenticatorData, dict[str, Any]]:
    """The authenticator's data, checked against what was asked, and the answer as it is kept; raises BadContent."""
    if not isinstance(credential, dict) or not state:
        raise BadContent({"credential": [NOT_TAKEN]})
    try:
        data = server().register_complete(state, credential)
        if data.credential_data is None:
            raise ValueError("There is no key in it.")
        public_key_of(data.credential_data.public_key)
    except MALFORMED as error:
        raise BadContent({"credential": [NOT_TAKEN]}) from error
    return data, credential


def add_passkey(person: Person, data: AuthenticatorData, *, credential: dict[str, Any], name: str, by: Actor, at: datetime) -> Passkey:
    """Keep a checked passkey: for signing in with allauth, for signing with us."""
    attested = data.credential_data
    assert attested is not None  # noqa: S101 - register_complete checked it
    if Passkey.objects.filter(credential_id=attested.credential_id).exists():
        raise BadContent({"credential": ["This passkey is enrolled already."]})
    kept = {"name": name, "credential": credential}
    row = Passkey.objects.create(
        person=person,
        authenticator=Authenticator.objects.create(user=person, type=Kind.WEBAUTHN, data=kept, created_at=at),
        credential_id=attested.credential_id,
        public_key=public_key_of(attested.public_key),
        algorithm=attested.public_key.ALGORITHM,
        rp_id=relying_party().id,
        name=name,
        sign_count=data.counter,
        enrolled_at=at,
    )
    facts = {
        "credential_id": websafe_encode(attested.credential_id),
        "public_key": websafe_encode(bytes(row.public_key)),
        "algorithm": row.algorithm,
        "rp_id": row.rp_id,
        "aaguid": str(attested.aaguid),
        "sign_count": row.sign_count,
    }
    record(
        Event.PASSKEY_ADDED, subject=person, refs=[row.reference], by=by, at=at, data=facts, details={"name": person.name, "passkey": name}
    )
    return row


def end_passkey(row: Passkey, *, by: Actor, at: datetime) -> None:
    """Let a passkey sign nothing more; what it signed stays its."""
    Passkey.objects.filter(pk=row.pk).update(removed_at=at, authenticator=None)
    Authenticator.objects.filter(pk=row.authenticator_id).delete()
    facts = {"credential_id": websafe_encode(bytes(row.credential_id))}
    details = {"name": row.person.name, "passkey": row.name}
    record(Event.PASSKEY_REMOVED, subject=row.person, refs=[row.reference], by=by, at=at, data=facts, details=details)
    _end_codes_left_alone(row.person)


def add_app(person: Person, secret: str, *, step: int, by: Actor, at: datetime) -> None:
    """Enrol an authenticator app; the code that proved it is spent."""
    kept = {"secret": close(secret), "last_step": step}
    Authenticator.objects.create(user=person, type=Kind.TOTP, data=kept, created_at=at)
    record(Event.AUTHENTICATOR_APP_ADDED, subject=person, by=by, at=at, details={"name": person.name})


def end_app(person: Person, *, by: Actor, at: datetime) -> bool:
    """Let codes of the app prove nothing more; False when none was enrolled."""
    gone, _ = Authenticator.objects.filter(user=person, type=Kind.TOTP).delete()
    if gone:
        record(Event.AUTHENTICATOR_APP_REMOVED, subject=person, by=by, at=at, details={"name": person.name})
        _end_codes_left_alone(person)
    return bool(gone)


def make_codes(person: Person, *, by: Actor, at: datetime) -> list[str]:
    """New recovery codes in place of the old ones; nowhere else are they shown."""
    Authenticator.objects.filter(user=person, type=Kind.RECOVERY_CODES).delete()
    codes: list[str] = RecoveryCodes.activate(person).get_unused_codes()
    record(Event.RECOVERY_CODES_MADE, subject=person, by=by, at=at, data={"count": len(codes)}, details={"name": person.name})
    return codes


def end_factors(person: Person, *, by: Actor, at: datetime) -> int:
    """End every passkey, the app and the recovery codes; returns how many there were."""
    rows = list(Passkey.objects.filter(person=person, removed_at__isnull=True).select_related("person"))
    for row in rows:
        end_passkey(row, by=by, at=at)
    return len(rows) + end_app(person, by=by, at=at)


def _descriptor(row: Passkey) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(type=PublicKeyCredentialType.PUBLIC_KEY, id=bytes(row.credential_id))


def _here(person: Person) -> list[Passkey]:
    return list(Passkey.objects.filter(person=person, removed_at__isnull=True, rp_id=relying_party().id))


def _end_codes_left_alone(person: Person) -> None:
    """Recovery codes recover a factor; where none is left they would be a password nobody chose."""
    if not Authenticator.objects.filter(user=person).exclude(type=Kind.RECOVERY_CODES).exists():
        Authenticator.objects.filter(user=person).delete()
