"""Which trust takes a CI job: its pins, held against what the job's issuer says of it. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.gate.rules.workloads import IssuerKind, NotTaken, Workload

COMPARE = "Compare the token with the trust: the page of trusts tries one."


@dataclass(frozen=True, slots=True)
class TrustFacts:
    """What a job must be to be taken; empty means that it is not asked. `hash` finds what it may ask for."""

    id: UUID
    name: str
    kind: IssuerKind
    audience: str
    project: str
    owner: str
    environment: str
    refs: tuple[str, ...]
    workflow: str
    takes_merge_requests: bool
    own_commit: bool  # it asks about the commit it runs on and about no other
    expires_at: datetime
    hash: bytes


def trust_for(workload: Workload, trusts: Collection[TrustFacts], *, now: datetime) -> TrustFacts:
    """The trust that takes this job, of several the one that lasts longest. Raises NotTaken with what keeps out of the nearest one."""
    ours = sorted((one for one in trusts if one.project == workload.project), key=lambda one: one.expires_at, reverse=True)
    if not ours:
        raise NotTaken("project", "No trust names this project of this issuer.", "An administrator adds a trust for the project's id.")
    reasons = []
    for trust in ours:
        found = why_not_trust(workload, trust, now=now)
        if found is None:
            return trust
        reasons.append(found)
    raise max(reasons, key=lambda one: CHECKS.index(one.code))


def why_not_trust(workload: Workload, trust: TrustFacts, *, now: datetime) -> NotTaken | None:
    """The first thing that keeps this job out of a trust of its project; None where it is taken."""
    return next((found for _, found in tried(workload, trust, now=now) if found is not None), None)


# In the order they are looked at: who came further was nearer to being taken.
CHECKS = (
    "project", "over", "audience", "owner", "environment_missing", "environment", "ref", "workflow", "workflow_ref", "merge_request", "commit",
)  # fmt: skip


def tried(workload: Workload, trust: TrustFacts, *, now: datetime) -> list[tuple[str, NotTaken | None]]:
    """Every pin of a trust with what it says about this job."""
    return [
        ("Project", _unless(workload.project == trust.project, "project", "The trust is for another project.")),
        ("Expiry", _unless(now < trust.expires_at, "over", f"The trust {trust.name} has expired.")),
        ("Audience", _unless(workload.audience == trust.audience, "audience", "The token was made for another audience.")),
        ("Owner", _unless(trust.owner in {"", workload.owner}, "owner", "The project belongs to another owner now.")),
        ("Environment", _environment(workload, trust)),
        ("Ref", _unless(not trust.refs or workload.ref in trust.refs, "ref", "The job runs on a ref that the trust does not name.")),
        ("Pipeline file", _workflow(workload, trust)),
        ("Merge requests", _merge_request(workload, trust)),
        (
            "Commit",
            _unless(bool(workload.commit) or not trust.own_commit, "commit", "The token does not say which commit the job runs on."),
        ),
    ]


def _unless(is_well: bool, code: str, said: str) -> NotTaken | None:  # noqa: FBT001 - one line per pin above
    return None if is_well else NotTaken(code, said, COMPARE)


def _environment(workload: Workload, trust: TrustFacts) -> NotTaken | None:
    if not trust.environment:
        return None
    if not workload.environment:
        return NotTaken("environment_missing", "The job names no environment, and the trust asks for one.", COMPARE)
    # GitHub takes production and Production for the same environment.
    same = workload.environment == trust.environment
    if trust.kind is IssuerKind.GITHUB:  # bytes: letters that only look alike in other scripts stay others
        same = workload.environment.encode().lower() == trust.environment.encode().lower()
    return _unless(same, "environment", "The job is in another environment of its CI than the trust names.")


def _workflow(workload: Workload, trust: TrustFacts) -> NotTaken | None:
    if not trust.workflow:
        return None
    if "@" in trust.workflow:
        return _unless(workload.called_workflow == trust.workflow, "workflow", "The job is in another reusable workflow.")
    if workload.workflow != trust.workflow:
        return NotTaken("workflow", "The job comes from another pipeline file than the trust names.", COMPARE)
    return _unless(workload.workflow_ref == workload.ref, "workflow_ref", "The pipeline file was read at another ref than the job runs on.")


def _merge_request(workload: Workload, trust: TrustFacts) -> NotTaken | None:
    is_well = trust.takes_merge_requests or not workload.is_merge_request
    return _unless(is_well, "merge_request", "The job runs for a merge request or a fork, and the trust does not take those.")
