"""Taking a signed statement: it must still be what would be stated now, and its person must have proved themselves for it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from apps.accounts.factors import ProvedByCode, find_passkey, means_of, relying_party, use_passkey
from apps.accounts.models import Person
from apps.approvals.models import SignOff
from apps.approvals.rules import PASSKEY, PASSWORD, PASSWORD_AND_CODE, SESSION
from apps.approvals.statement import GOOD_FOR, NotAStatement, Statement, challenge_of, read_statement, statement_bytes
from apps.core.actors import Actor
from apps.core.assertions import Assertion, why_not_asserted
from apps.core.canonical import digest
from apps.core.refusals import Refusal, Refused, not_allowed, not_now

PROOF_HOLDS = timedelta(minutes=2)  # from the password to the signature; both are one click
MADE_ANEW = "Read it again: it is made anew."
CHANGED = not_now(
    "statement_changed",
    "What you would sign now is not what you read: a policy, a delegation or deployment settings changed meanwhile.",
    MADE_ANEW,
)
UNREADABLE = not_now("statement_unreadable", "What was sent is no statement.", "Open the sign-off page and read it there.")
OLD = not_now("statement_old", f"A statement is good for {GOOD_FOR // timedelta(minutes=1)} minutes, and this one is older.", MADE_ANEW)
USED = not_now("statement_used", "This very statement was signed already.", "A statement is signed once. Open a new one to sign again.")
OTHER_PROOF = not_now("other_proof", "How you prove yourself changed since this statement was made.", MADE_ANEW)
NOT_PROVED = not_allowed(
    "not_proved", "Nothing proves that it is you who signs.", "Sign on the sign-off page, with your passkey or your password."
)
NO_MEANS = not_allowed(
    "no_means",
    "You have neither a passkey that works here nor a password: nothing can prove that it is you.",
    "Add a passkey on your profile.",
)
ASSERTED = {
    "client_data": ("What the browser sent about the passkey cannot be read.", "Sign again."),
    "type": ("The passkey was asked for something else than a signature.", "Sign again, on the sign-off page."),
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


def signer(person: Person) -> Actor:
    """The person as who signs: by the strongest means they have, and no weaker one; by their session where they have none."""
    means = means_of(person)
    ways = ((PASSKEY, means.passkeys > 0), (PASSWORD_AND_CODE, means.password and means.authenticator_app), (PASSWORD, means.password))
    return replace(person.actor, credential=next((name for name, has in ways if has), SESSION))


def why_not_proved(by: Actor) -> Refusal | None:
    """Why nobody can sign like this: a session alone proves only that somebody sits at a browser."""
    return NO_MEANS if by.credential == SESSION else None


def taken_statement(signed: Signed | None, drafted: Statement, *, person: Person, by: Actor, at: datetime) -> bytes:
    """The bytes that are signed: those that were read, where they still say what would be stated now; raises Refused.

    Without a signed statement those that were just made: for a person who is there by their session and no more."""
    if signed is None:
        if by.credential != SESSION:
            raise Refused(NOT_PROVED)
        return statement_bytes(drafted)
    try:
        said = read_statement(signed.statement)
    except NotAStatement as error:
        raise Refused(UNREADABLE) from error
    refusals: tuple[Callable[[], Refusal | None], ...] = (
        lambda: why_not_proved(by),
        lambda: USED if SignOff.objects.filter(statement_hash=digest(signed.statement)).exists() else None,
        lambda: OTHER_PROOF if by != signer(person) or (said.by.get("id"), said.by.get("credential")) != (by.id, by.credential) else None,
        lambda: None if statement_bytes(replace(drafted, at=said.at, nonce=said.nonce)) == signed.statement else CHANGED,
        lambda: None if timedelta(0) <= at - said.at <= GOOD_FOR else OLD,
    )
    if refusal := next((refusal for answer in refusals if (refusal := answer())), None):
        raise Refused(refusal)
    _prove(signed, by=by, at=at)
    return signed.statement


def _prove(signed: Signed, *, by: Actor, at: datetime) -> None:
    if by.credential == PASSKEY:
        _prove_by_passkey(signed, by=by, at=at)
        return
    proved = signed.proved
    if signed.assertion is not None or proved is None or proved.method.lower() != by.credential:
        raise Refused(NOT_PROVED)
    if proved.person_id != by.person_id or not timedelta(0) <= at - proved.proved_at <= PROOF_HOLDS:
        raise Refused(NOT_PROVED)


def _prove_by_passkey(signed: Signed, *, by: Actor, at: datetime) -> None:
    """The assertion must be over this statement, asked at our address, by a passkey of theirs whose counter goes on."""
    assertion, party = signed.assertion, relying_party()
    if assertion is None:
        raise Refused(NOT_PROVED)
    passkey = find_passkey(assertion.credential_id)
    if passkey is None:
        raise Refused(UNKNOWN)
    asked = replace(assertion, rp_id=party.id, origin=party.origin)
    code = why_not_asserted(asked, public_key=passkey.public_key, challenge=challenge_of(signed.statement))
    if code or asked != assertion:
        reason, cure = ASSERTED[code or "origin"]
        raise Refused(not_allowed(f"passkey_{code or 'origin'}", reason.format(rp_id=party.id), cure.format(origin=party.origin)))
    use_passkey(assertion.credential_id, sign_count=assertion.sign_count, user_verified=True, by=by, at=at)
