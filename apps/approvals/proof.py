"""Whether a sign-off is what its statement says, and the statement what our key and the person's passkey signed.

A row put in by hand proves nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol
from uuid import UUID

from apps.approvals.models import SignOff
from apps.approvals.rules import PASSKEY, Strength, suffices
from apps.approvals.statement import GOOD_FOR, NotAStatement, Statement, challenge_of, read_statement, signed_message
from apps.audit.keys import public_key
from apps.changes.content import revision_digest
from apps.core.actors import ActorKind
from apps.core.assertions import Assertion, why_not_asserted
from apps.core.canonical import digest
from apps.core.ids import id_text
from apps.core.signing import ALG, key_id, verifies

REMEMBERED = 4096  # statements; each is about 2 kB, and none of them ever changes

_keys: dict[str, bytes] = {}  # by key id, which is a hash of the key itself: an entry cannot become wrong


class Said(Protocol):
    """What every statement says: how its person proved themselves, and when it was made."""

    @property
    def by(self) -> Mapping[str, str]:
        """Who speaks, and with what they proved it."""

    @property
    def at(self) -> datetime:
        """When it was made."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A passkey as it was added: whose it is, its public key, and from when to when it signs."""

    person_id: UUID
    public_key: bytes
    rp_id: str
    added_at: datetime
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a row says beside its statement; everything in it must be in the statement too.

    `revision_digest` is made anew from what the revision is bound to, never taken from its column: another kind, requester
    or author than the one that was signed makes another digest."""

    statement: bytes
    statement_hash: str
    signature: bytes
    key_id: str
    alg: str
    installation: UUID
    change_id: UUID
    revision: int
    revision_digest: str
    person_id: UUID
    decision: str
    meaning: str
    covered_parts: Collection[str]
    given_at: datetime
    on_behalf_of: str = ""  # the person in whose place the row says it was given
    assertion: Assertion | None = None
    passkey: Enrolment | None = None  # the one that the assertion names, whoever it is of


def claim_of(sign_off: SignOff, *, installation: UUID, passkey: Enrolment | None = None) -> Claim:
    """The claim of a stored row; change with its requester, revision with its author, and person are read with it."""
    return Claim(
        statement=bytes(sign_off.statement),
        statement_hash=sign_off.statement_hash,
        signature=bytes(sign_off.signature),
        key_id=sign_off.key_id,
        alg=sign_off.alg,
        installation=installation,
        change_id=sign_off.change.public_id,
        revision=sign_off.revision.number,
        revision_digest=revision_digest(sign_off.revision.bound, part_digests=sign_off.revision.part_digests),
        person_id=sign_off.person.public_id,
        decision=sign_off.decision,
        meaning=sign_off.meaning,
        covered_parts=sign_off.covered_parts,
        given_at=sign_off.given_at,
        on_behalf_of=str(sign_off.delegation.person.public_id) if sign_off.delegation else "",
        assertion=assertion_of(
            *map(bytes, (sign_off.credential_id, sign_off.authenticator_data, sign_off.client_data, sign_off.assertion)),
            rp_id=sign_off.rp_id,
            origin=sign_off.origin,
        ),
        passkey=passkey,
    )


def assertion_of(*columns: bytes, rp_id: str, origin: str) -> Assertion | None:
    """The assertion of a row, in the order of its columns; None where not one of them is filled."""
    credential_id, authenticator_data, client_data, signature = columns
    if not any((*columns, rp_id, origin)):
        return None
    return Assertion(credential_id, authenticator_data, client_data, signature, rp_id, origin)


def statement_holds(claim: Claim) -> bool:
    """Whether the statement was signed by a listed key and says what the row says."""
    return proved_statement(claim) is not None


def proved_statement(claim: Claim) -> Statement | None:
    """Return the statement behind a row, or None where signature, hash or any column does not agree with it."""
    public = trusted_key(claim.key_id)
    if public is None or claim.alg != ALG or claim.statement_hash != digest(claim.statement):
        return None
    statement = _proved(claim.statement, claim.signature, public)
    if statement is None:
        return None
    said = (
        statement.installation,
        statement.change,
        statement.revision,
        statement.revision_digest,
        statement.person_id,
        statement.decision,
        statement.meaning,
        set(statement.covers),
        (statement.by.get("kind"), statement.by.get("id"), statement.by.get("on_behalf_of", "")),
    )
    written = (
        id_text(claim.installation),
        id_text(claim.change_id),
        claim.revision,
        claim.revision_digest,
        claim.person_id,
        claim.decision,
        claim.meaning,
        set(claim.covered_parts),
        (ActorKind.PERSON, id_text(claim.person_id), claim.on_behalf_of),
    )
    is_theirs = said == written and is_timely(statement, given_at=claim.given_at)
    return statement if is_theirs and why_not_by_passkey(statement, claim=claim) is None else None


def is_timely(statement: Said, *, given_at: datetime) -> bool:
    """Whether its person proved themselves for it, and while it was good: a session alone proves nobody."""
    return suffices(statement.by.get("credential", ""), asked=Strength.ANY) and timedelta(0) <= given_at - statement.at <= GOOD_FOR


@dataclass(frozen=True, slots=True)
class Presented:
    """A passkey's answer beside a statement: whose it should be, when it was given, and over what."""

    person_id: UUID
    given_at: datetime
    challenge: bytes
    assertion: Assertion | None
    passkey: Enrolment | None


def why_not_by_passkey(statement: Statement, *, claim: Claim) -> str | None:
    """Return the code of what is wrong with the assertion beside a sign-off's statement, or None."""
    if statement.by.get("credential") != PASSKEY:
        return None if claim.assertion is None else "not_asked"
    shown = Presented(claim.person_id, claim.given_at, challenge_of(claim.statement), claim.assertion, claim.passkey)
    return why_not_presented(statement, shown)


def why_not_presented(statement: Said, shown: Presented) -> str | None:
    """Return the code of what is wrong with the assertion beside a statement, or None.

    A statement says in itself with what its person proved themselves: an assertion can neither be taken away nor added."""
    assertion, passkey = shown.assertion, shown.passkey
    if statement.by.get("credential") != PASSKEY:
        return None if assertion is None else "not_asked"
    if assertion is None:
        return "missing"
    if passkey is None:
        return "unknown"
    doubts = (
        ("not_theirs", passkey.person_id != shown.person_id),
        ("elsewhere", passkey.rp_id != assertion.rp_id),
        ("added_later", passkey.added_at > shown.given_at),
        ("removed_before", passkey.removed_at is not None and passkey.removed_at < statement.at),
    )
    if code := next((code for code, holds in doubts if holds), None):
        return code
    return _asserted(assertion, passkey.public_key, shown.challenge)


def stated(data: bytes) -> Statement | None:
    """What the bytes say, proved or not; None where they are no statement."""
    try:
        return read_statement(data)
    except NotAStatement:
        return None


def forget() -> None:
    """Verify everything again from now on. At the start of a deployment nothing is taken from memory."""
    _proved.cache_clear()
    _asserted.cache_clear()
    verified.cache_clear()
    _keys.clear()


@lru_cache(maxsize=REMEMBERED)
def _proved(statement: bytes, signature: bytes, public: bytes) -> Statement | None:
    """Verified once for these very bytes; none of the three can change without being another question."""
    return stated(statement) if verifies(public, signed_message(statement), signature) else None


@lru_cache(maxsize=REMEMBERED)
def verified(message: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the owner of the key signed this message; verified once, likewise."""
    return verifies(public, message, signature)


@lru_cache(maxsize=REMEMBERED)
def _asserted(assertion: Assertion, public: bytes, challenge: bytes) -> str | None:
    """Verified once, likewise."""
    return why_not_asserted(assertion, public_key=public, challenge=challenge)


def trusted_key(of: str) -> bytes | None:
    """A trusted key; one whose id is not its own hash was put in by hand."""
    if of not in _keys:
        public = public_key(of)
        if public is None or key_id(public) != of:
            return None
        _keys[of] = public
    return _keys[of]
