"""One wake: choose the step, claim, do it, write back. Whoever is called too often, too late or at the same time as others does nothing."""

import logging
from collections.abc import Callable

from apps.deployments.drivers.base import CannotTell, Fenced
from apps.deployments.facts import step_facts
from apps.deployments.lease import Lease, LeaseLost, claim, own_name
from apps.deployments.models import Deployment
from apps.deployments.rules.stepping import Step, next_step
from apps.deployments.runner.beginning import begin_deployment
from apps.deployments.runner.driving import cancel, poll, start
from apps.deployments.runner.reconciling import note_silence, reconcile
from apps.deployments.runner.verifying import verify

logger = logging.getLogger(__name__)

StepDone = Callable[[Lease, Deployment], bool]
STEPS: dict[Step, StepDone] = {Step.START: start, Step.POLL: poll, Step.VERIFY: verify, Step.CANCEL: cancel, Step.RECONCILE: reconcile}


def run_step(deployment_id: int, *, holder: str = "") -> bool:
    """Do one step of a deployment; True when the next one is due at once."""
    order = Deployment.objects.due().filter(pk=deployment_id).first()
    if order is None:
        return False
    if next_step(step_facts(order)) is Step.BEGIN:
        return begin_deployment(deployment_id)
    lease = claim(deployment_id, holder=holder or own_name())
    return lease is not None and work(lease)


def work(lease: Lease) -> bool:
    """Do the step of a claimed order. A lost lease or a closed fence means that another worker goes on: nothing is written."""
    order = Deployment.objects.select_related("target__service", "settings", "undoes", "leg__change").get(pk=lease.deployment_id)
    step = STEPS[next_step(step_facts(order))]
    try:
        return done(step, lease, order)
    except (LeaseLost, Fenced) as error:
        logger.warning("%s stops at %s: %s", lease.holder, order.ref, error)
        return False


def done(step: StepDone, lease: Lease, order: Deployment) -> bool:
    """Do it, or note that the target did not answer."""
    try:
        return step(lease, order)
    except CannotTell as error:
        return note_silence(lease, said=str(error))
