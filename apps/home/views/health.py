"""Answers for whoever watches the processes: no sign-in, no session."""

from datetime import timedelta

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from apps.audit.seal import seal_lag
from apps.deployments.models import Deployment
from apps.deployments.states import WORKED_ON
from apps.gate.functions import are_made

MOST_LAG_SECONDS = 30
REMEMBERED: set[str] = set()


@login_not_required
def livez(request: HttpRequest) -> HttpResponse:
    """Say that the process answers."""
    del request
    return HttpResponse("live\n", content_type="text/plain")


@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """The database answers, is migrated, and sealer and sweeper keep up; 503 with what does not hold."""
    del request
    try:
        holds = {"database": True, "migrated": is_migrated(), "sealed": seals_keep_up(), "swept": sweeps_keep_up()}
    except DatabaseError:
        holds = {"database": False}
    return JsonResponse(holds, status=200 if all(holds.values()) else 503)


def is_migrated() -> bool:
    """Whether no migration of ours waits to be applied and the gate's functions are made. A yes is remembered: this process's code does not change any more."""
    if not REMEMBERED:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()) or not are_made():
            return False
        REMEMBERED.add("migrated")
    return True


def seals_keep_up() -> bool:
    """Whether the oldest unsealed entry is young."""
    return seal_lag(timezone.now()) < timedelta(seconds=MOST_LAG_SECONDS)


def sweeps_keep_up() -> bool:
    """Whether no order has been due for long without anybody at work on it."""
    late = timezone.now() - timedelta(seconds=MOST_LAG_SECONDS)
    return not Deployment.objects.filter(state__in=sorted(WORKED_ON), wake_at__lt=late, lease_expires_at__isnull=True).exists()
