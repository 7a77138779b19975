"""What the clock drives: the stream is sealed and followed each second, and at once after an urgent entry."""

from celery import shared_task

from apps.audit.followers import run_followers
from apps.audit.seal import seal_now


@shared_task(name="apps.audit.beat.seal_stream")
def seal_stream(**_: object) -> None:
    """Seal what may be sealed, then let the followers read on."""
    seal_now()
    run_followers()
