"""Wakes a worker for the stream between two ticks. A lost wake costs a second, never an entry."""

import logging

from celery import current_app
from kombu.exceptions import OperationalError

TASK = "apps.audit.beat.seal_stream"
WORTH_SECONDS = 5

logger = logging.getLogger(__name__)


def nudge() -> None:
    """Ask for sealing and following now; called after commit, so a broker that is away must not raise."""
    try:
        current_app.send_task(TASK, expires=WORTH_SECONDS, retry=False, ignore_result=True)
    except OperationalError as error:
        logger.warning("The broker does not answer (%s). The stream is followed at the next tick.", error)
