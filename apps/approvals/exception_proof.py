"""Whether an exception is what its two statements say, and each of them what our key and its person signed.

A row put in by hand proves nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.approvals.exception_statement import AGREE, ASK, ExceptionStatement, exception_challenge, exception_message, read_exception
from apps.approvals.proof import Enrolment, Presented, is_timely, trusted_key, verified, why_not_presented
from apps.approvals.rules import REVIEW_WITHIN
from apps.approvals.statement import NotAStatement
from apps.core.actors import ActorKind
from apps.core.assertions import Assertion
from apps.core.canonical import digest
from apps.core.signing import ALG


@dataclass(frozen=True, slots=True)
class SignatureClaim:
    """One of the two signatures as its row has it."""

    statement: bytes
    statement_hash: str
    signature: bytes
    key_id: str
    alg: str
    person_id: UUID
    given_at: datetime
    assertion: Assertion | None = None
    passkey: Enrolment | None = None


@dataclass(frozen=True, slots=True)
class ExceptionClaim:
    """What a row says of an exception; everything in it must be in the statements too."""

    installation: UUID
    change_id: UUID
    revision: int
    revision_digest: str
    leg_id: UUID
    target_id: UUID
    kind: str
    lifts: frozenset[str]
    minutes: int
    reason: str
    asked_by: UUID
    asked_at: datetime
    ask: SignatureClaim | None
    agreed_by: UUID | None = None
    agreed_at: datetime | None = None
    ends_at: datetime | None = None
    due_at: datetime | None = None  # of its review
    agree: SignatureClaim | None = None


def proved_exception(claim: ExceptionClaim) -> ExceptionStatement | None:
    """Return what both say, or the first alone while there is no second; None where anything does not agree."""
    asked = _said(claim.ask, by=claim.asked_by, at=claim.asked_at)
    if asked is None or claim.ask is None or asked.act != ASK or not _is_of(asked, claim):
        return None
    if claim.agreed_at is None and claim.agreed_by is None:
        return asked if claim.agree is None else None
    agreed = _said(claim.agree, by=claim.agreed_by, at=claim.agreed_at)
    if agreed is None or agreed.act != AGREE or agreed.asked != claim.ask.statement_hash or agreed.terms != asked.terms:
        return None
    is_two = agreed.person_id != asked.person_id
    follows = claim.agreed_at is not None and (claim.ends_at, claim.due_at) == (
        claim.agreed_at + timedelta(minutes=agreed.minutes),
        claim.agreed_at + REVIEW_WITHIN,
    )
    return agreed if is_two and follows else None


def _said(claim: SignatureClaim | None, *, by: UUID | None, at: datetime | None) -> ExceptionStatement | None:
    """What a signature says, where it is proved to be this person's of that moment."""
    if claim is None or (claim.person_id, claim.given_at) != (by, at):
        return None
    public = trusted_key(claim.key_id)
    if public is None or claim.alg != ALG or claim.statement_hash != digest(claim.statement):
        return None
    if not verified(exception_message(claim.statement), claim.signature, public):
        return None
    try:
        said = read_exception(claim.statement)
    except NotAStatement:
        return None
    speaks = (said.person_id, said.by.get("kind"), said.by.get("id"), said.by.get("on_behalf_of", ""))
    if speaks != (by, ActorKind.PERSON, str(by), "") or not is_timely(said, given_at=claim.given_at):
        return None
    shown = Presented(claim.person_id, claim.given_at, exception_challenge(claim.statement), claim.assertion, claim.passkey)
    return said if why_not_presented(said, shown) is None else None


def _is_of(said: ExceptionStatement, claim: ExceptionClaim) -> bool:
    stated = (
        said.installation, said.change, said.revision, said.revision_digest, said.leg, said.target,
        said.kind, frozenset(said.lifts), said.minutes, said.reason,
    )  # fmt: skip
    written = (
        str(claim.installation), str(claim.change_id), claim.revision, claim.revision_digest, str(claim.leg_id), str(claim.target_id),
        claim.kind, claim.lifts, claim.minutes, claim.reason,
    )  # fmt: skip
    return stated == written
