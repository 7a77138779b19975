"""What a message wakes: one step of one order. The message is a hint, the row is the order."""

import logging
from functools import partial

from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.deployments.runner import run_step

WORTH_SECONDS = 5

logger = logging.getLogger(__name__)


@shared_task(name="apps.deployments.tasks.wake_deployment")
def wake_deployment(*, deployment_id: int, **_: object) -> None:
    """Do one step; where the next one is due at once, say so to the next free worker."""
    if run_step(deployment_id):
        wake(deployment_id)


def wake(deployment_id: int) -> None:
    """Tell a worker. Where the broker is away, the sweeper's next look finds the order."""
    try:
        wake_deployment.apply_async(kwargs={"deployment_id": deployment_id}, expires=WORTH_SECONDS, retry=False)
    except OperationalError as error:
        logger.warning("The broker does not answer (%s). Order %s is found by the sweeper.", error, deployment_id)


def wake_after_commit(deployment_id: int) -> None:
    """Tell a worker once the order is on disk."""
    transaction.on_commit(partial(wake, deployment_id), robust=True)
