"""Follows the stream and writes down who is to be told what; the cursor moves in the same transaction."""

from datetime import datetime, timedelta

from apps.audit.entries import StreamEntry
from apps.audit.followers import read_on
from apps.core.locks import database_now
from apps.notifications.facts.telling import TELLERS, Notice, notice_of
from apps.notifications.kinds import NEEDED
from apps.notifications.steps import queue_notice
from apps.notifications.tasks import wake_after_commit

CURSOR = "notifications"
BATCH = 50  # a transaction that runs keeps later entries from being sealed: short ones
# News of last week is none: after a long standstill, or on an installation that has a past, only what still waits is told.
FRESH = timedelta(days=2)


def follow_stream(now: datetime | None = None) -> int:
    """Read on from where we stood. Returns how many entries were read."""
    return read_on(CURSOR, lambda entry: react(entry, now=now or database_now()), limit=BATCH)


def react(entry: StreamEntry, *, now: datetime) -> None:
    """Queue what one entry asks for; twice the same entry does nothing more."""
    notice = notice_of(entry) if str(entry.event) in TELLERS else None
    if notice is not None and now - entry.at > FRESH:
        notice = Notice(notice.subject, tuple(told for told in notice.told if told.kind in NEEDED))
    if notice is None or not notice.told:
        return
    if queue_notice(entry, notice, at=now):
        wake_after_commit()
