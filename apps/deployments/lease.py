"""Who works on an order now: claimed by one, kept by the database's clock, given back after one step.

The attempt is the fence. Every write-back goes through `own`, which matches id, attempt and holder; a lost worker's is refused."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.verbs import verb
from apps.deployments.access import Held, hold_deployment
from apps.deployments.models import Attempt, ClockTimestamp, Deployment
from apps.deployments.states import WORKED_ON, State
from apps.deployments.transitions import move, tell

LEASE = timedelta(seconds=30)  # three times the longest step
LOST = "LOST"


class LeaseLost(Exception):
    """The lease ended and was taken away: whatever it wanted to write is not written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim that was had."""

    deployment_id: int
    attempt: int
    holder: str


def own_name() -> str:
    """Name this process as a holder is called: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"[:120]


@verb
def claim(deployment_id: int, *, holder: str, length: timedelta | None = None) -> Lease | None:
    """Take an order for one step; None when another worker has it, when it is not due or when it is nobody's turn.

    A claimed UNKNOWN order becomes RECONCILING: the first thing done with it is to ask the target."""
    deployment = (
        Deployment.objects.due()
        .exclude(state=State.QUEUED)
        .select_for_update(skip_locked=True, of=("self",))
        .filter(pk=deployment_id)
        .first()
    )
    if deployment is None or deployment.lease_expires_at is not None:
        return None  # an expired lease is not ours to take: the sweeper first says that it was lost
    now = database_now()
    deployment.attempt += 1
    deployment.holder = holder
    deployment.lease_expires_at = now + (length or LEASE)
    deployment.save()
    Attempt.objects.create(deployment=deployment, number=deployment.attempt, holder=holder, claimed_at=now)
    if deployment.attempt == 1 or deployment.state == State.UNKNOWN:
        tell(deployment, Event.DEPLOYMENT_CLAIMED, by=system("runner"), at=now, data={"attempt": deployment.attempt}, reason=holder)
    if deployment.state == State.UNKNOWN:
        move(deployment, State.RECONCILING, by=system("runner"), at=now)
    return Lease(deployment.pk, deployment.attempt, holder)


def heartbeat(lease: Lease, *, length: timedelta | None = None) -> None:
    """Keep the lease for another while; raises LeaseLost when it is not ours any more."""
    with transaction.atomic():
        kept = _ours(lease).update(lease_expires_at=ClockTimestamp() + (length or LEASE))
    if not kept:
        raise LeaseLost(f"Attempt {lease.attempt} lost its lease.")


def own(lease: Lease) -> Held:
    """Lock the order for a write-back in the caller's transaction; raises LeaseLost when it is not ours any more."""
    held = hold_deployment(lease.deployment_id)
    found = held.deployment
    if (found.attempt, found.holder) != (lease.attempt, lease.holder) or found.lease_expires_at is None:
        raise LeaseLost(f"Attempt {lease.attempt} of {found.ref} lost its lease.")
    return held


def give_back(deployment: Deployment, *, at: datetime, ended_as: str, wake_at: datetime | None = None) -> None:
    """End the attempt and free the lease on a locked row; the caller saves the row."""
    Attempt.objects.filter(deployment=deployment, number=deployment.attempt, ended_at__isnull=True).update(ended_at=at, ended_as=ended_as)
    deployment.holder, deployment.lease_expires_at = "", None
    deployment.wake_at = wake_at or at


def count_try(deployment: Deployment) -> int:
    """Count a loss, a silence or a look on a locked row; the caller saves it. Real progress begins the count anew."""
    tries = int(deployment.cursor.get("tries", 0)) + 1
    deployment.cursor["tries"] = tries
    return tries


def _ours(lease: Lease) -> QuerySet[Deployment]:
    return Deployment.objects.filter(pk=lease.deployment_id, attempt=lease.attempt, holder=lease.holder, lease_expires_at__isnull=False)


@verb
def note_lost(deployment_id: int) -> bool:
    """Say of one expired lease that its worker is lost: the state becomes UNKNOWN, never FAILED. False when it is not so any more.

    Losses are counted: what kills every worker that takes it up is not taken up for ever."""
    found = (
        Deployment.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(pk=deployment_id, state__in=sorted(WORKED_ON), lease_expires_at__lte=ClockTimestamp())
        .first()
    )
    if found is None:
        return False
    now = database_now()
    lost_by = found.holder
    count_try(found)
    give_back(found, at=now, ended_as=LOST)
    move(found, State.UNKNOWN, by=system("sweeper"), at=now, reason=f"{lost_by} went silent.")
    return True
