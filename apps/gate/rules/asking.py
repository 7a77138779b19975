"""Who asks, and about what: these two rules answer before anything else is told."""

from collections.abc import Iterable

from apps.gate.rules.cases import APPROVED, Case
from apps.gate.rules.findings import Finding, block
from apps.gate.rules.shapes import Action, AskerFacts, AskerKind, Facts
from apps.gate.rules.workloads import Workload

ADMINISTRATOR = "an administrator"
RUNNER = "whoever runs the pipeline"
SHORT = 12


def may_ask(case: Case) -> Iterable[Finding]:
    """The credential is known, live, and allows this service, environment and action."""
    asker, question = case.facts.asker, case.facts.question
    if asker.kind is AskerKind.UNKNOWN:
        yield block("unknown_token", "Nobody issued this token.", "Use a gate token of this installation.", who=ADMINISTRATOR, final=True)
    elif not asker.is_live:
        said = f"The {_kind(asker)} {asker.name} has expired or was revoked."
        yield block("token_over", said, "Use a new one.", who=ADMINISTRATOR, final=True)
    elif question.action not in asker.actions:
        said = f"The {_kind(asker)} {asker.name} may not ask for the action {question.action.lower()}."
        yield block("action_out_of_scope", said, f"Use a {_kind(asker)} for this action.", who=ADMINISTRATOR, final=True)
    elif not (_in(asker.service_ids, case.facts.service) and _in(asker.environment_ids, case.facts.environment)):
        said = f"The {_kind(asker)} {asker.name} is not for {question.service} in {question.environment}."
        yield block("out_of_scope", said, f"Use a {_kind(asker)} for this service and environment.", who=ADMINISTRATOR, final=True)
    elif asker.workload is not None:
        yield from _fit_for(asker.workload, case.facts)


def _fit_for(job: Workload, facts: Facts) -> Iterable[Finding]:
    environment, question = facts.environment, facts.question
    if environment is not None and (found := unfit(job, environment.name, environment.change_required)):
        yield found
    # The way back leads to what ran before, so it is never the commit that a pipeline of today runs on.
    elif job.asks_for_own and question.action is Action.DEPLOY and f"git:{job.commit}" not in question.identities:
        said = f"The job runs on the commit {job.commit[:SHORT]}; its trust lets it ask about that commit alone."
        yield block(
            "other_commit", said, "Ask from a pipeline of the commit that is deployed, and name that commit.", who=RUNNER, final=True
        )


def unfit(job: Workload, place: str, required: str) -> Finding | None:
    """Where people must agree, no job speaks that runs code which nobody of the project has taken in."""
    if required != APPROVED:
        return None
    if job.is_merge_request:
        said = f"The job runs for a merge request or a fork, and {place} asks for approval."
        return block("merge_request", said, "Ask from a pipeline of the branch or tag itself.", who=RUNNER, final=True)
    if job.is_protected is False:
        said = f"The job runs on a ref that is not protected, and {place} asks for approval."
        return block("ref_not_protected", said, "Protect the branch or tag, then run the job again.", who="a maintainer")
    return None


def _kind(asker: AskerFacts) -> str:
    return "trust" if asker.kind is AskerKind.WORKLOAD else "token"


def known_target(case: Case) -> Iterable[Finding]:
    """Service, environment and target exist and are not retired."""
    facts, asked = case.facts, case.facts.question
    if facts.service is None or (facts.service.is_restricted and not facts.asker.sees_restricted):
        yield block("unknown_service", f"There is no service {asked.service}.", "Check the name, or have it added.", who=ADMINISTRATOR)
    elif facts.environment is None:
        said = f"There is no environment {asked.environment}."
        yield block("unknown_environment", said, "Check the name, or have it added.", who=ADMINISTRATOR)
    elif facts.target is None:
        said = f"{facts.service.name} has no target in {facts.environment.name}."
        yield block("unknown_target", said, "Have the target added, with its deployment settings.", who=ADMINISTRATOR)
    elif facts.service.is_retired or facts.environment.is_retired or facts.target.is_retired:
        gone = facts.service.name if facts.service.is_retired else facts.environment.name if facts.environment.is_retired else "The target"
        yield block("retired", f"{gone} is retired.", "Deploy to the place that took over; nothing goes here any more.", who=ADMINISTRATOR)


def _in(scope: frozenset[int] | None, thing: object) -> bool:
    # A token for some services is told the same about a service it may not see and one that does not exist.
    return scope is None or getattr(thing, "pk", None) in scope
