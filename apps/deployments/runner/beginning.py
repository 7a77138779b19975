"""The moment a queued order begins: all locks first, then, as statements of their own, what the gate says now."""

import logging
from datetime import timedelta

from apps.approvals.proof import forget
from apps.core.actors import system
from apps.core.locks import share_calendar_guard
from apps.core.refusals import Refusal, Refused
from apps.core.verbs import BUSY, verb
from apps.deployments.access import Held, hold_deployment
from apps.deployments.models import Deployment
from apps.deployments.refusals import begin_refusal, leg_refusal
from apps.deployments.states import State
from apps.deployments.steps import begin, keep_waiting, refuse
from apps.gate.answers import judged_leg
from apps.gate.judgement import judge_under_lock
from apps.gate.rules import Answer, Effect, Facts, Finding, Question, Verdict

# A freeze may be lifted and a target freed before the moment that was foretold.
LOOK_AGAIN = timedelta(seconds=5)
RUNNER = system("runner")

logger = logging.getLogger(__name__)


def begin_deployment(deployment_id: int) -> bool:
    """Begin a queued order if the gate allows it now; keep it waiting, or end it, if not. True when it runs.

    Whatever refuses while it begins has undone its transaction: the order is ended in another one, or it would be tried for ever."""
    try:
        return judge_and_begin(deployment_id)
    except Refused as error:
        refusal = error.refusal
    try:
        if refusal != BUSY:
            end_refused(deployment_id, refusal=refusal)
    except Refused as error:
        refusal = error.refusal
    logger.info("Order %s did not begin: %s", deployment_id, refusal)
    return False


@verb
def judge_and_begin(deployment_id: int) -> bool:
    """Judge a queued order under its locks, and do what follows."""
    share_calendar_guard()
    held = hold_deployment(deployment_id)
    order = held.deployment
    if order.state != State.QUEUED:
        return False
    if order.leg is not None and (refusal := leg_refusal(order.leg)):
        _end(held, refusal)
        return False
    forget()  # proofs are remembered for answers; for what begins they are made again
    facts, verdict = judge_under_lock(question_of(order))
    if refusal := begin_refusal(order, facts, verdict):
        _end(held, refusal)
    elif verdict.verdict is Answer.PENDING:
        _wait(held, verdict)
    else:
        begin(held, by=RUNNER, policy_digest=_policy_digest(facts, verdict))
        return True
    return False


@verb
def end_refused(deployment_id: int, *, refusal: Refusal) -> None:
    """End a queued order that was refused while it began."""
    held = hold_deployment(deployment_id)
    if held.deployment.state == State.QUEUED:
        _end(held, refusal)


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


def _end(held: Held, refusal: Refusal) -> None:
    refuse(held, code=refusal.code, reason=str(refusal), by=RUNNER)


def _wait(held: Held, verdict: Verdict) -> None:
    finding = first(verdict, Effect.WAIT)
    until = held.now + LOOK_AGAIN
    if finding.until is not None and held.now < finding.until < until:
        until = finding.until
    keep_waiting(held, reason=finding.message, until=until)


def _policy_digest(facts: Facts, verdict: Verdict) -> str:
    leg = judged_leg(facts, verdict)
    return leg.quorum.policy.digest if leg and leg.quorum.policy else ""
