"""What the clock drives: mail that is due, digests whose hour has come, and forgetting. Holds no state of its own."""

from datetime import timedelta
from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from apps.notifications.access import people_with_digests, something_is_due
from apps.notifications.actions import forget_notifications, gather_digest
from apps.notifications.tasks import wake

KEPT = timedelta(days=90)  # rows say that a mail went, never what it said
MAIL_FILES = "*.log"  # as the file backend names them


@shared_task(name="apps.notifications.beat.sweep_mail")
def sweep_mail(**_: object) -> None:
    """Gather the digests that are due, then wake a worker for all that is: an emptied broker loses nothing."""
    for person_id in people_with_digests():
        gather_digest(person_id)
    if something_is_due():
        wake()


@shared_task(name="apps.notifications.beat.forget_mail")
def forget_mail(**_: object) -> None:
    """Remove what is no longer needed: rows that ended long ago, and mail that lies in files."""
    before = timezone.now() - KEPT
    forget_notifications(before=before)
    for path in sorted(Path(settings.EMAIL_FILE_PATH).glob(MAIL_FILES)):
        if path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
