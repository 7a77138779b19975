"""What the clock does for accounts: what ended by itself is deleted."""

from celery import shared_task

from apps.accounts.counting import forget_expired
from apps.accounts.presence import forget_ended


@shared_task(name="apps.accounts.beat.forget_what_ended")
def forget_what_ended(**_: object) -> None:
    """Delete sessions that are over and attempts that count no longer."""
    forget_ended()
    forget_expired()
