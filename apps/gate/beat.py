"""What the clock does for the gate: partitions made ahead, keys of yesterday forgotten."""

from datetime import timedelta

from celery import shared_task
from django.db import connection

from apps.core.locks import database_now
from apps.gate.models import EvaluationKey

MONTHS_AHEAD = 3
KEY_LIFE = timedelta(hours=24)


@shared_task(name="apps.gate.beat.make_partitions")
def make_partitions(**_: object) -> None:
    """Make the partitions of the next months, and empty the table of keys."""
    with connection.cursor() as cursor:
        cursor.execute("select gate_make_partitions(%s)", [MONTHS_AHEAD])
    EvaluationKey.objects.filter(at__lt=database_now() - KEY_LIFE).delete()
