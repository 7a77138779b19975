"""Whether a model speaks for one leg of a change: what it says, under whose agreement, against what the revision says.

The agreement to a version is signed by the server's key when it comes into force: a version put in by hand approves nothing."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from apps.audit.keys import public_key
from apps.changes.content import Plan, Rollback, Scope
from apps.changes.content.coverage import Coverage, departures
from apps.changes.content.templates import Template, read_template, why_not_shown
from apps.changes.rules import PreApproval
from apps.core.canonical import canonical_bytes, digest
from apps.core.signing import ALG, verifies

TYPE = "changecontrol/pre-approval/v1"
PREFIX = TYPE.encode() + b"\n"  # keeps this signature from being taken for another document's
REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Granted:
    """What is stored about the version a change began from, and about its model now."""

    installation: UUID
    model_id: UUID
    name: str
    slug: str
    number: int
    body: bytes
    author_id: UUID
    author: str
    agreed_by_id: UUID | None
    agreed_by: str
    made_at: datetime
    statement: bytes
    key_id: str
    alg: str
    signature: bytes
    number_in_force: int | None
    is_retired: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What the revision says of what a model may fix, read from its canonical bytes."""

    scope: Scope
    plan: Plan
    rollback: Rollback
    is_intact: bool = True  # it has the digest that binds it to the model


@dataclass(frozen=True, slots=True)
class Where:
    """One leg's place, with the team that its service belongs to now."""

    service_id: UUID
    team_id: UUID
    environment_id: UUID
    words: str  # payments in production


def agreement_bytes(granted: Granted) -> bytes:
    """What the server signs when a version that approves beforehand comes into force."""
    return canonical_bytes(
        {
            "schema": 1,
            "type": TYPE,
            "installation": granted.installation,
            "model": granted.model_id,
            "number": granted.number,
            "digest": digest(granted.body),
            "author": granted.author_id,
            "agreed_by": granted.agreed_by_id,
            "at": granted.made_at,
        }
    )


def pre_approval(granted: Granted, written: Written, *, where: Where) -> PreApproval | None:
    """What the model says about one leg; None where it approves nothing beforehand."""
    template = _template(granted.body)
    if template.coverage is None:
        return None
    doubts = (*_doubts_about(granted), *_doubts_of(template, template.coverage, written, where=where))
    return PreApproval(
        granted.name,
        granted.slug,
        granted.number,
        granted.author,
        granted.agreed_by,
        granted.made_at,
        doubts,
        is_outdated=granted.is_retired or granted.number_in_force != granted.number,
    )


def _doubts_about(granted: Granted) -> list[str]:
    if granted.is_retired:
        return [f"The model {granted.name} is retired."]
    if granted.number_in_force != granted.number:
        return [f"Version {granted.number} of {granted.name} is not in force any more: version {granted.number_in_force} is."]
    return [] if _is_agreed(granted) else [f"Version {granted.number} of {granted.name} carries no agreement that we can verify."]


def _doubts_of(template: Template, coverage: Coverage, written: Written, *, where: Where) -> list[str]:
    said = [] if written.is_intact else ["The stored content does not have the digest that binds it to the model."]
    if not coverage.reaches(service_id=where.service_id, team_id=where.team_id, environment_id=where.environment_id):
        said.append(f"The model does not cover {where.words}.")
    model = (template.scope, template.plan, template.rollback)
    said += departures(model, (written.scope, written.plan, written.rollback), fixed=coverage.fixed)
    return said + [sentence for sentences in why_not_shown(template, shown=written.plan).values() for sentence in sentences]


def _is_agreed(granted: Granted) -> bool:
    public = public_key(granted.key_id)
    if public is None or granted.alg != ALG or granted.statement != agreement_bytes(granted):
        return False
    return _signed(granted.statement, granted.signature, public)


@lru_cache(maxsize=REMEMBERED)
def _signed(statement: bytes, signature: bytes, public: bytes) -> bool:
    """Verified once for these very bytes; none of the three can change without being another question."""
    return verifies(public, PREFIX + statement, signature)


@lru_cache(maxsize=REMEMBERED)
def _template(body: bytes) -> Template:
    """A wording never changes, so it is read once."""
    return read_template(body)
