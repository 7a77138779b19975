"""Whether a sign-off is what its statement says, and the statement what our key signed. A row put in by hand proves nothing."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from apps.approvals.models import SignOff
from apps.approvals.statement import NotAStatement, Statement, read_statement, signed_message
from apps.audit.keys import public_key
from apps.changes.content import revision_digest
from apps.core.canonical import digest, utc_seconds
from apps.core.signing import ALG, key_id, verifies

REMEMBERED = 4096  # statements; each is about 2 kB, and none of them ever changes

_keys: dict[str, bytes] = {}  # by key id, which is a hash of the key itself: an entry cannot become wrong


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


def claim_of(sign_off: SignOff, *, installation: UUID) -> Claim:
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
    )


def statement_holds(claim: Claim) -> bool:
    """Whether the statement was signed by a listed key and says what the row says."""
    return proved_statement(claim) is not None


def proved_statement(claim: Claim) -> Statement | None:
    """Return the statement behind a row, or None where signature, hash or any column does not agree with it."""
    public = _public_key(claim.key_id)
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
        utc_seconds(statement.at),
    )
    written = (
        str(claim.installation),
        str(claim.change_id),
        claim.revision,
        claim.revision_digest,
        claim.person_id,
        claim.decision,
        claim.meaning,
        set(claim.covered_parts),
        utc_seconds(claim.given_at),
    )
    return statement if said == written else None


def stated(data: bytes) -> Statement | None:
    """What the bytes say, proved or not; None where they are no statement."""
    try:
        return read_statement(data)
    except NotAStatement:
        return None


def forget() -> None:
    """Verify everything again from now on. At the start of a deployment nothing is taken from memory."""
    _proved.cache_clear()
    _keys.clear()


@lru_cache(maxsize=REMEMBERED)
def _proved(statement: bytes, signature: bytes, public: bytes) -> Statement | None:
    """Verified once for these very bytes; none of the three can change without being another question."""
    return stated(statement) if verifies(public, signed_message(statement), signature) else None


def _public_key(of: str) -> bytes | None:
    """A trusted key; one whose id is not its own hash was put in by hand."""
    if of not in _keys:
        public = public_key(of)
        if public is None or key_id(public) != of:
            return None
        _keys[of] = public
    return _keys[of]
