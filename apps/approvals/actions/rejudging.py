"""Counting an agreement again after something that bears on it: who may agree, what a policy asks, who somebody is."""

from datetime import datetime

from apps.approvals.facts.doubts import JUDGED
from apps.approvals.models import Doubt
from apps.approvals.steps import settle
from apps.changes.models import Change
from apps.core.actors import Actor
from apps.core.locks import share_calendar_guard
from apps.core.verbs import verb

LONGEST_REASON = 300


@verb
def rejudge_change(*, change_id: int, by: Actor, now: datetime | None = None) -> bool:
    """Count the agreement to one change that is in doubt; what lost it waits for people again. Returns whether it moved.

    The doubts are read after the lock and before the agreement: one that is raised meanwhile is kept for the next time, and
    of two workers the second finds nothing left to do."""
    share_calendar_guard()
    change, at = Change.objects.lock(change_id, now)
    doubts = [*Doubt.objects.filter(change=change).order_by("pk")]
    before = change.state
    if doubts and before in JUDGED:
        reasons = dict.fromkeys(one.reason for one in doubts)
        settle(change, by=by, at=at, reason=" ".join(reasons)[:LONGEST_REASON])
    Doubt.objects.filter(pk__in=[one.pk for one in doubts]).delete()
    return change.state != before
