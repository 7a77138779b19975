"""What the clock drives: a change whose period is over ends, one in doubt is counted again, whoever keeps one waiting is told."""

import logging

from celery import shared_task
from django.utils import timezone

from apps.approvals.actions import chase_agreement, expire_change, lapse_exception, rejudge_change, tell_due, tell_overdue
from apps.approvals.facts import due_exceptions, overdue_exceptions, undecided_exceptions
from apps.approvals.facts.waiting import changes_to_look_at
from apps.approvals.models import Doubt
from apps.approvals.rules import ASK_HOLDS
from apps.approvals.steps import JUDGE
from apps.changes.models import Change
from apps.changes.states import OPEN
from apps.core.actors import system
from apps.core.refusals import Refused

CLOCK = system("clock")
AT_ONCE = 500  # the rest is due at the next tick

logger = logging.getLogger(__name__)


@shared_task
def expire_changes(**_: object) -> int:
    """Expire what is due and return how many were; one that cannot end yet is tried again at the next tick."""
    due = Change.objects.filter(state__in=sorted(OPEN), not_after__lte=timezone.now()).order_by("not_after")
    ended = 0
    for change_id in due.values_list("pk", flat=True)[:AT_ONCE]:
        try:
            expire_change(change_id=change_id, by=CLOCK)
        except Refused as error:
            logger.info("CHG-%s does not expire yet: %s", change_id, error)
        else:
            ended += 1
    return ended


@shared_task
def chase_agreements(**_: object) -> int:
    """Remind, escalate and expire what is due and return how many people were told; what is busy is due at the next tick."""
    told = 0
    for change_id in [*changes_to_look_at(timezone.now()).values_list("pk", flat=True)]:
        try:
            told += chase_agreement(change_id=change_id, by=CLOCK)
        except Refused as error:
            logger.info("CHG-%s is not chased yet: %s", change_id, error)
    return told


@shared_task
def rejudge_changes(**_: object) -> int:
    """Count again every agreement that is in doubt and return how many changes moved; what is busy is due at the next tick.

    One that cannot be counted is told to whoever reads the log, and keeps nobody else waiting."""
    moved = 0
    doubted = Doubt.objects.order_by("change").values_list("change", flat=True).distinct()
    for change_id in [*doubted[:AT_ONCE]]:
        try:
            moved += rejudge_change(change_id=change_id, by=JUDGE)
        except Refused as error:
            logger.info("CHG-%s is not counted again yet: %s", change_id, error)
        except Exception:
            logger.exception("CHG-%s cannot be counted again. It is tried again at the next tick.", change_id)
    return moved


@shared_task
def tell_overdue_reviews(**_: object) -> int:
    """Tell once of each review of an exception that is overdue, and return how many were."""
    due = overdue_exceptions(now=timezone.now()).filter(overdue_told_at__isnull=True)
    return sum(tell_overdue(exception_id=pk, by=CLOCK) for pk in [*due.values_list("pk", flat=True)[:AT_ONCE]])


@shared_task
def tell_due_reviews(**_: object) -> int:
    """Remind once of each review of an exception that is due soon, and return how many were."""
    due = due_exceptions(now=timezone.now()).order_by("review_due_at", "pk")
    return sum(tell_due(exception_id=pk, by=CLOCK) for pk in [*due.values_list("pk", flat=True)[:AT_ONCE]])


@shared_task
def lapse_exceptions(**_: object) -> int:
    """End every request for an exception that nobody decided on in time, and return how many were."""
    old = undecided_exceptions().filter(asked_at__lte=timezone.now() - ASK_HOLDS).order_by("asked_at", "pk")
    return sum(lapse_exception(exception_id=pk, by=CLOCK) for pk in [*old.values_list("pk", flat=True)[:AT_ONCE]])
