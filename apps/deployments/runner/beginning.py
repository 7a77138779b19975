"""The moment a queued order begins: all locks first, then, as statements of their own, what the gate says now."""

from datetime import timedelta

from apps.core.actors import system
from apps.core.locks import share_calendar_guard
from apps.core.verbs import verb
from apps.deployments.access import Held, hold_deployment
from apps.deployments.models import Deployment
from apps.deployments.states import State
from apps.deployments.steps import begin, keep_waiting, refuse
from apps.gate.judgement import judge_under_lock
from apps.gate.rules import Answer, Effect, Finding, Question, Verdict

# A freeze may be lifted and a target freed before the moment that was foretold.
LOOK_AGAIN = timedelta(seconds=5)
RUNNER = system("runner")


@verb
def begin_deployment(deployment_id: int) -> bool:
    """Begin a queued order if the gate allows it now; keep it waiting, or end it, if not. True when it runs."""
    share_calendar_guard()
    held = hold_deployment(deployment_id)
    if held.deployment.state != State.QUEUED:
        return False
    _, verdict = judge_under_lock(question_of(held.deployment))
    match verdict.verdict:
        case Answer.ALLOW:
            begin(held, by=RUNNER)
            return True
        case Answer.PENDING:
            _wait(held, verdict)
        case Answer.DENY:
            finding = first(verdict, Effect.BLOCK)
            refuse(held, code=finding.code, reason=f"{finding.message} {finding.cure}".strip(), by=RUNNER)
    return False


def question_of(order: Deployment) -> Question:
    """What our own worker asks the gate about an order."""
    return Question(
        service=order.target.service.slug,
        environment=order.target.environment.slug,
        identities=tuple(order.identities),
        leg_id=order.leg_id,
        deployment=order.public_id,
    )


def first(verdict: Verdict, effect: Effect) -> Finding:
    """The first finding with this effect; the answer has one, or it would be another answer."""
    return next(finding for finding in verdict.findings if finding.effect is effect)


def _wait(held: Held, verdict: Verdict) -> None:
    finding = first(verdict, Effect.WAIT)
    until = held.now + LOOK_AGAIN
    if finding.until is not None and held.now < finding.until < until:
        until = finding.until
    keep_waiting(held, reason=finding.message, until=until)
