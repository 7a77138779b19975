"""What the clock drives: reading on, should a sealing have been missed."""

from celery import shared_task

from apps.incidents.opening import follow_stream as read_on


@shared_task(name="apps.incidents.beat.follow_stream")
def follow_stream(**_: object) -> None:
    """Read the stream on and act."""
    read_on()
