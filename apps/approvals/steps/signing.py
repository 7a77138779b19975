"""Taking a signed statement: it must still be what would be stated now, and its person must have proved themselves for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from apps.accounts.factors import Means, ProvedByCode, find_passkey, means_of, relying_party, use_passkey
from apps.accounts.models import Person
from apps.approvals.exception_statement import (
    ExceptionStatement,
    exception_bytes,
    exception_challenge,
    exception_message,
    read_exception,
)
from apps.approvals.models import ExceptionSignature, SignOff
from apps.approvals.rules import PASSKEY, PASSWORD, PASSWORD_AND_CODE, SESSION
from apps.approvals.statement import (
    GOOD_FOR,
    NotAStatement,
    Statement,
    challenge_of,
    read_statement,
    signed_message,
    statement_bytes,
)
from apps.audit.keys import list_key
from apps.core.actors import Actor
from apps.core.assertions import Assertion, why_not_asserted
from apps.core.canonical import digest
from apps.core.refusals import Refusal, Refused, not_allowed, not_now
from apps.core.signing import signing_key

PROOF_HOLDS = timedelta(minutes=2)  # from the password to the signature; both are one click
MADE_ANEW = "Read it again: it is made anew."
CHANGED = not_now(
    "statement_changed",
    "What you would sign now is not what you read: a policy, a delegation or deployment settings changed meanwhile.",
    MADE_ANEW,
)
UNREADABLE = not_now("statement_unreadable", "What was sent is no statement.", "Open the page and read it there.")
OLD = not_now("statement_old", f"A statement is good for {GOOD_FOR // timedelta(minutes=1)} minutes, and this one is older.", MADE_ANEW)
USED = not_now("statement_used", "This very statement was signed already.", "A statement is signed once. Open a new one to sign again.")
OTHER_PROOF = not_now("other_proof", "How you prove yourself changed since this statement was made.", MADE_ANEW)
NOT_PROVED = not_allowed(
    "not_proved", "Nothing proves that it is you who signs.", "Sign on the page that shows it, with your passkey or your password."
)
NO_MEANS = not_allowed(
    "no_means",
    "You have neither a passkey that works here nor a password: nothing can prove that it is you.",
    "Add a passkey on your profile.",
)
ASSERTED = {
    "client_data": ("What the browser sent about the passkey cannot be read.", "Sign again."),
    "type": ("The passkey was asked for something else than a signature.", "Sign again, on the page that shows the statement."),
    "challenge": ("The passkey signed another statement than the one before you.", "Read the statement and sign that one."),
    "origin": ("The passkey was asked at another address than this one.", "Open {origin} and sign there."),
    "relying_party": ("The passkey signed for another place than {rp_id}.", "Open {origin} and sign there."),
    "not_present": ("Nobody touched the passkey.", "Sign again and confirm at your device."),
    "not_verified": ("The passkey did not check who you are.", "Sign with your fingerprint, your face or the PIN of your device."),
    "signature": ("The signature is not by the passkey it names.", "Sign again. If it happens twice, remove the passkey and add it anew."),
}
UNKNOWN = not_allowed("passkey_unknown", "This passkey was never added here.", "Sign with one of your own; your profile lists them.")


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement as it was put before a person, and what proves that they signed it: a passkey's assertion, or their password."""

    statement: bytes
    assertion: Assertion | None = None
    proved: ProvedByCode | None = None


S = TypeVar("S", Statement, ExceptionStatement)


@dataclass(frozen=True, slots=True)
class Document(Generic[S]):
    """A kind of statement: how it is written and read, and what is signed of it. One kind's signature is none of another's."""

    write: Callable[[S], bytes]
    read: Callable[[bytes], S]
    message: Callable[[bytes], bytes]
    challenge: Callable[[bytes], bytes]
    is_used: Callable[[str], bool]


SIGN_OFF = Document(
    statement_bytes, read_statement, signed_message, challenge_of, lambda of: SignOff.objects.filter(statement_hash=of).exists()
)
EXCEPTION = Document(
    exception_bytes,
    read_exception,
    exception_message,
    exception_challenge,
    lambda of: ExceptionSignature.objects.filter(statement_hash=of).exists(),
)


def signer(person: Person, means: Means | None = None) -> Actor:
    """The person as who signs: by the strongest means they have, and no weaker one; by their session where they have none."""
    means = means or means_of(person)
    ways = ((PASSKEY, means.passkeys > 0), (PASSWORD_AND_CODE, means.password and means.authenticator_app), (PASSWORD, means.password))
    return replace(person.actor, credential=next((name for name, has in ways if has), SESSION))


def why_not_proved(by: Actor) -> Refusal | None:
    """Why nobody can sign like this: a session alone proves only that somebody sits at a browser."""
    return NO_MEANS if by.credential == SESSION else None


def taken_statement(signed: Signed | None, drafted: S, *, document: Document[S], person: Person, by: Actor, at: datetime) -> bytes:
    """The bytes that are signed: those that were read, where they still say what would be stated now; raises Refused.

    Nothing is signed that was not read and proved: there is no other way to a sign-off."""
    if signed is None:
        raise Refused(NOT_PROVED)
    try:
        said = document.read(signed.statement)
    except NotAStatement as error:
        raise Refused(UNREADABLE) from error
    refusals: tuple[Callable[[], Refusal | None], ...] = (
        lambda: why_not_proved(by),
        lambda: USED if document.is_used(digest(signed.statement)) else None,
        lambda: OTHER_PROOF if by != signer(person) or (said.by.get("id"), said.by.get("credential")) != (by.id, by.credential) else None,
        lambda: None if document.write(replace(drafted, at=said.at, nonce=said.nonce)) == signed.statement else CHANGED,
        lambda: None if timedelta(0) <= at - said.at <= GOOD_FOR else OLD,
    )
    if refusal := next((refusal for answer in refusals if (refusal := answer())), None):
        raise Refused(refusal)
    _prove(signed, challenge=document.challenge(signed.statement), by=by, at=at)
    return signed.statement


def signature_columns(data: bytes, signed: Signed | None, *, document: Document[S], by: Actor, at: datetime) -> Mapping[str, Any]:
    """Sign a statement with the server's key: the columns of the row that carries both."""
    key = signing_key()
    list_key(key, by=by, at=at)
    signature = key.sign(document.message(data))
    said = signed.assertion if signed else None
    columns: dict[str, Any] = {
        "statement": data,
        "statement_hash": digest(data),
        "key_id": signature.key_id,
        "alg": signature.alg,
        "signature": signature.value,
    }
    if said is None:
        return columns
    return columns | {
        "credential_id": said.credential_id,
        "authenticator_data": said.authenticator_data,
        "client_data": said.client_data,
        "assertion": said.signature,
        "rp_id": said.rp_id,
        "origin": said.origin,
    }


def _prove(signed: Signed, *, challenge: bytes, by: Actor, at: datetime) -> None:
    if by.credential == PASSKEY:
        _prove_by_passkey(signed, challenge=challenge, by=by, at=at)
        return
    proved = signed.proved
    if signed.assertion is not None or proved is None or proved.method.lower() != by.credential:
        raise Refused(NOT_PROVED)
    if proved.person_id != by.person_id or not timedelta(0) <= at - proved.proved_at <= PROOF_HOLDS:
        raise Refused(NOT_PROVED)


def _prove_by_passkey(signed: Signed, *, challenge: bytes, by: Actor, at: datetime) -> None:
    """The assertion must be over this statement, asked at our address, by a passkey of theirs whose counter goes on."""
    assertion, party = signed.assertion, relying_party()
    if assertion is None:
        raise Refused(NOT_PROVED)
    passkey = find_passkey(assertion.credential_id)
    if passkey is None:
        raise Refused(UNKNOWN)
    asked = replace(assertion, rp_id=party.id, origin=party.origin)
    code = why_not_asserted(asked, public_key=passkey.public_key, challenge=challenge)
    if code or asked != assertion:
        reason, cure = ASSERTED[code or "origin"]
        raise Refused(not_allowed(f"passkey_{code or 'origin'}", reason.format(rp_id=party.id), cure.format(origin=party.origin)))
    use_passkey(assertion.credential_id, sign_count=assertion.sign_count, user_verified=True, by=by, at=at)
