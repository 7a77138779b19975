"""What a message wakes: a worker that sends what is due. The message is a hint, the rows are the orders."""

import logging

from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.notifications.delivery import send_due

WORTH_SECONDS = 5

logger = logging.getLogger(__name__)


@shared_task(name="apps.notifications.tasks.send_due_mail")
def send_due_mail(**_: object) -> None:
    """Send for a few seconds; what is left is found at the next tick."""
    send_due()


def wake() -> None:
    """Tell a worker. Where the broker is away, the sweeper's next look finds what is due."""
    try:
        send_due_mail.apply_async(expires=WORTH_SECONDS, retry=False)
    except OperationalError as error:
        logger.warning("The broker does not answer (%s). Mail waits for the next tick.", error)


def wake_after_commit() -> None:
    """Tell a worker once the rows are on disk."""
    transaction.on_commit(wake, robust=True)
