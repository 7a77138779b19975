"""What the clock drives: finding every open order that is due, and every lease that ran out. Holds no state of its own."""

from celery import shared_task

from apps.deployments.lease import note_lost
from apps.deployments.models import ClockTimestamp, Deployment
from apps.deployments.pipelines import note_silent
from apps.deployments.states import WORKED_ON
from apps.deployments.tasks import wake

MOST = 200


def expired_ids() -> list[int]:
    """Orders whose worker went silent."""
    lost = Deployment.objects.filter(state__in=sorted(WORKED_ON), lease_expires_at__lte=ClockTimestamp())
    return list(lost.order_by("lease_expires_at").values_list("pk", flat=True)[:MOST])


def due_ids() -> list[int]:
    """Orders a worker should look at now, the longest waiting first."""
    return list(Deployment.objects.due().filter(lease_expires_at__isnull=True).order_by("wake_at").values_list("pk", flat=True)[:MOST])


def silent_ids() -> list[int]:
    """What CI does not speak of any more."""
    return list(Deployment.objects.silent().order_by("wake_at").values_list("pk", flat=True)[:MOST])


@shared_task(name="apps.deployments.beat.sweep_deployments")
def sweep_deployments(**_: object) -> None:
    """Note what was lost, wake a worker for everything that is due: an emptied broker loses nothing."""
    for deployment_id in expired_ids():
        note_lost(deployment_id)
    for deployment_id in due_ids():
        wake(deployment_id)
    for deployment_id in silent_ids():
        note_silent(deployment_id)
