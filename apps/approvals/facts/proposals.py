"""Who may change a policy alone, and what the rules ask about a proposal."""

from apps.accounts.facts import are_two_administrators, standing_grants
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.models import Policy, PolicyProposal
from apps.approvals.rules import ProposalFacts
from apps.catalog.models import ChangeRequired, Environment, Service


def takes_two(environment: Environment) -> bool:
    """Whether a policy here is changed by two administrators: it asks for approval, and there are two."""
    return environment.change_required == ChangeRequired.APPROVED and are_two_administrators()


def standing_policy(environment: Environment, *, service: Service | None, kind: str, least_risk: int = 0) -> Policy | None:
    """The policy that is in force for exactly this place, kind and risk."""
    found = Policy.objects.open_now().filter(environment=environment, service=service, kind=kind, least_risk=least_risk)
    return found.select_related("version", "environment", "service").first()


def waiting_proposal(environment: Environment, *, service: Service | None, kind: str, least_risk: int = 0) -> PolicyProposal | None:
    """What is proposed for exactly this place, kind and risk, and not decided."""
    found = PolicyProposal.objects.filter(environment=environment, service=service, kind=kind, least_risk=least_risk)
    return found.filter(decided_at__isnull=True).select_related("proposed_by").first()


def proposal_facts(proposal: PolicyProposal) -> ProposalFacts:
    """One proposal as rules see it; whoever was merged is who they are merged into."""
    by: Person = proposal.proposed_by.merged_into or proposal.proposed_by
    standing = standing_policy(proposal.environment, service=proposal.service, kind=proposal.kind, least_risk=proposal.least_risk)
    in_force = standing.version_id if standing else None
    return ProposalFacts(
        proposed_by=by.public_id,
        proposer=by.name,
        is_proposer_administrator=standing_grants().filter(person=by, role=Role.ADMINISTRATOR).exists(),
        is_decided=proposal.decided_at is not None,
        is_outdated=in_force != proposal.replaces_id,
    )
