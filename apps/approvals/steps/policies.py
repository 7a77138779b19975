"""Writing policies: a wording is never changed, only followed by the next one."""

import json
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Max

from apps.accounts.models import Person, Team
from apps.approvals.models import Policy, PolicyProposal, PolicyVersion, ProposalOutcome
from apps.approvals.policy_body import policy_bytes, read_policy, strength_of
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.models import Environment, Service
from apps.core.actors import Actor
from apps.core.canonical import digest
from apps.core.references import Reference
from apps.core.refusals import BadContent
from apps.core.texts import read_line

LONGEST_NAME = 120
# Nobody else looked at it: until a second administrator is there to confirm, and where no approval is asked for.
SINGLE_HANDED = {"single_handed": True}


def set_policy(
    *,
    name: str,
    environment: Environment,
    document: Mapping[str, object],
    by: Actor,
    at: datetime,
    service: Service | None = None,
    kind: str = "",
    least_risk: int = 0,
    proposed_by: Person | None = None,
) -> Policy:
    """Write the next wording of the policy for this place and kind, or its first one; raises BadContent.

    The calendar guard is the caller's. The same name and wording again write nothing. Without `proposed_by`, who proposed
    what BY confirms, the edit is marked as one person's alone."""
    printed, data = checked_policy(name, document)
    selector = {"environment": environment, "service": service, "kind": kind, "least_risk": least_risk}
    standing = Policy.objects.open_now().filter(**selector).select_related("version")
    policy = standing.first() or Policy.objects.create(name=printed, **selector)
    if policy.version and (policy.version.digest, policy.name) == (digest(data), printed):
        return policy
    number = (policy.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    made_by = actor_text(by)
    policy.version = PolicyVersion.objects.create(policy=policy, number=number, body=data, digest=digest(data), made_at=at, made_by=made_by)
    policy.name = printed
    policy.save(update_fields=["name", "version"])
    said = {
        "number": number,
        "digest": policy.version.digest,
        "kind": kind or None,
        "least_risk": least_risk or None,
        # Whoever verifies an export reads here what a sign-off under this wording was to be proved by.
        "proof": strength_of(json.loads(data)).value,
        **_hands(proposed_by),
    }
    details = {"name": printed, **_proposer(proposed_by)}
    record(Event.POLICY_WRITTEN, subject=policy, by=by, at=at, refs=_about(policy, proposed_by), data=said, details=details)
    return policy


def end_policy(policy: Policy, *, by: Actor, at: datetime, proposed_by: Person | None = None) -> None:
    """End a policy; where no other one says who agrees, the answer is no."""
    policy.retired_at = at
    policy.save(update_fields=["retired_at"])
    details = {"name": policy.name, **_proposer(proposed_by)}
    refs = _about(policy, proposed_by)
    record(Event.POLICY_RETIRED, subject=policy, by=by, at=at, refs=refs, data=_hands(proposed_by), details=details)


def checked_policy(name: str, document: Mapping[str, object]) -> tuple[str, bytes]:
    """The printed name and the canonical bytes of a wording, whom it names included; raises BadContent."""
    printed, data = read_line(name, field="name", longest=LONGEST_NAME), policy_bytes(document)
    _refuse_strangers(data)
    return printed, data


def _about(place: Policy | PolicyProposal, proposed_by: Person | None = None) -> list[Reference]:
    service = [place.service.reference] if place.service else []
    return [place.environment.reference, *service, *([proposed_by.reference] if proposed_by else [])]


def _hands(proposed_by: Person | None) -> dict[str, bool]:
    return {} if proposed_by else SINGLE_HANDED


def _proposer(proposed_by: Person | None) -> dict[str, str]:
    return {"proposer": proposed_by.name} if proposed_by else {}


def add_proposal(proposal: PolicyProposal, *, by: Actor) -> PolicyProposal:
    """Store what one administrator proposes; nothing is changed by it."""
    proposal.save()
    said = {"kind": proposal.kind or None, "ends": proposal.body is None}
    refs, details = _about(proposal), {"name": proposal.name}
    record(Event.POLICY_PROPOSED, subject=proposal, by=by, at=proposal.proposed_at, refs=refs, data=said, details=details)
    return proposal


def decide_proposal(proposal: PolicyProposal, outcome: ProposalOutcome, *, person: Person, by: Actor, at: datetime) -> None:
    """Close a proposal; what a confirmation puts in force is the caller's next step."""
    proposal.outcome, proposal.decided_by, proposal.decided_at = outcome.value, person, at
    proposal.save(update_fields=["outcome", "decided_by", "decided_at"])
    refs, details = _about(proposal, proposal.proposed_by), {"name": proposal.name, "proposer": proposal.proposed_by.name}
    record(Event.POLICY_PROPOSAL_DECIDED, subject=proposal, by=by, at=at, refs=refs, data={"outcome": outcome.value}, details=details)


def _refuse_strangers(data: bytes) -> None:
    """A rule that names a person or a team who is not there could never be met."""
    errors: dict[str, list[str]] = {}
    for at, rule in enumerate(read_policy(data, policy_id=UUID(int=0), name="", number=0, digest="").rules):
        present = Person.objects.present().filter(public_id__in=rule.group.persons).count()
        if present < len(rule.group.persons):
            errors[f"rules.{at}.group.persons"] = ["Somebody named here is not an active person. Choose people who are."]
        if rule.group.team and not Team.objects.open_now().filter(public_id=rule.group.team).exists():
            errors[f"rules.{at}.group.team"] = ["There is no such team. Choose one that is not retired."]
    if errors:
        raise BadContent(errors)
