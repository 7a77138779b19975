"""What a trust must be pinned to, and who puts it in force. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from apps.catalog.rules import PersonFacts
from apps.core.refusals import Refusal, not_allowed, not_now
from apps.core.texts import why_not_line
from apps.gate.rules.shapes import Action, Detail
from apps.gate.rules.workloads import IssuerKind

MOST_REFS = 20
LONGEST = {"audience": 300, "project": 300, "owner": 100, "environment": 200, "workflow": 400}
REF = re.compile(r"refs/(?:heads|tags)/[^\s~^:?*\[\\\x00-\x1f\x7f]{1,250}")
CLAIM = re.compile(r"[A-Za-z0-9_./:-]{1,80}", re.ASCII)
NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
NOT_ADMINISTRATOR = not_allowed(
    "not_administrator", "Only an administrator changes this.", "Ask an administrator; the people page names them."
)

Errors = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Pins:
    """What a CI job must be; empty is not asked."""

    audience: str
    project: str
    owner: str = ""
    environment: str = ""
    refs: tuple[str, ...] = ()
    workflow: str = ""
    takes_merge_requests: bool = False
    own_commit: bool = False  # it asks about the commit it runs on and about no other


@dataclass(frozen=True, slots=True)
class Scope:
    """What it may ask for, and how long; None means all."""

    name: str
    actions: Collection[Action]
    days: int
    service_ids: Collection[int] | None = None
    environment_ids: Collection[int] | None = None
    detail: Detail = Detail.FULL


@dataclass(frozen=True, slots=True)
class WaitingTrust:
    """A trust that somebody proposed."""

    proposed_by: UUID  # the person they stand as
    proposer: str
    is_proposer_administrator: bool
    is_in_force: bool
    is_over: bool  # ended, or expired


def errors_in_pins(pins: Pins, *, kind: IssuerKind, reaches_approval: bool) -> Errors:
    """What to show beside each field of a trust that cannot be put so."""
    errors: Errors = {}
    for field, longest in LONGEST.items():
        if said := why_not_line(getattr(pins, field), longest=longest, empty=field not in {"audience", "project"}):
            errors[field] = [said]
    if kind is not IssuerKind.OTHER:
        errors |= _errors_in_ids(pins)
    if any(not REF.fullmatch(ref) for ref in pins.refs) or len(pins.refs) > MOST_REFS:
        errors["refs"] = [f"Write full refs, such as refs/heads/main or refs/tags/v1: no patterns, {MOST_REFS} at most."]
    if not pins.refs and not pins.environment:
        errors.setdefault("refs", ["Name the environment of the CI, or the refs: otherwise every branch could ask."])
    if pins.takes_merge_requests and reaches_approval:
        errors["takes_merge_requests"] = ["Merge requests ask only where no agreement is needed. Name environments where that is so."]
    return errors


def _errors_in_ids(pins: Pins) -> Errors:
    errors: Errors = {}
    if pins.project and not NUMBER.fullmatch(pins.project):
        errors["project"] = ["Write the number that is the project's id: a name can be given to another project."]
    if pins.owner and not NUMBER.fullmatch(pins.owner):
        errors["owner"] = ["Write the number that is the owner's id."]
    return errors


def errors_in_issuer(*, project_claim: str, kind: IssuerKind) -> Errors:
    """What to show beside the fields of an issuer, its address apart."""
    if kind is IssuerKind.OTHER and not CLAIM.fullmatch(project_claim):
        return {"project_claim": ["Name the claim that holds the project's id, such as sub."]}
    return {}


def why_not_configure(person: PersonFacts) -> Refusal | None:
    """Whom the gate takes at their word is configuration."""
    return None if person.is_active and person.is_administrator else NOT_ADMINISTRATOR


def why_not_confirm_trust(person: PersonFacts, trust: WaitingTrust) -> Refusal | None:
    """Two different administrators, both active at this moment."""
    if refusal := why_not_end_trust(person, trust):
        return refusal
    if trust.is_in_force:
        return not_now("already_in_force", "This trust is in force.", "Nothing is left to do here.")
    if person.canonical_id == trust.proposed_by:
        return not_allowed("own_proposal", "You proposed this yourself.", "Another administrator confirms it.")
    if not trust.is_proposer_administrator:
        said = f"{trust.proposer} is no active administrator any more, so one person alone would decide."
        return not_now("proposer_gone", said, "End this proposal and propose it yourself.")
    return None


def why_not_end_trust(person: PersonFacts, trust: WaitingTrust) -> Refusal | None:
    """Any administrator ends one, alone: it only makes the gate stricter."""
    if refusal := why_not_configure(person):
        return refusal
    return not_now("trust_over", "This trust is over.", "Nothing is left to do here.") if trust.is_over else None
