"""What `manage.py check --database default` asks about the gate: its functions, and next month's partitions.

Warnings, not errors: `migrate` asks the same before it begins, and an error would keep it from making what is missing."""

from collections.abc import Collection
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connections

from apps.gate.functions import are_made

MISSING = """select parent || to_char(now() + interval '1 month', '_YYYY_MM')
from unnest(array['gate_evaluation', 'gate_verdict']) as parent
where to_regclass(parent) is not null and to_regclass(parent || to_char(now() + interval '1 month', '_YYYY_MM')) is null"""


@register(Tags.database)
def next_partitions(*, databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's own signature
    """Name the partitions of next month that nobody has made."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute(MISSING)
            found += [
                checks.Warning(
                    f"The partition {name} is missing, so the gate stops answering next month.", hint="Run migrate.", id="gate.W001"
                )
                for (name,) in cursor.fetchall()
            ]
    return found


@register(Tags.database)
def functions_of_this_release(*, databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's own signature
    """Say where the functions that this release calls are missing."""
    said = "The gate's functions of this release are missing, so it answers no question."
    return [checks.Warning(said, hint="Run migrate.", id="gate.W002") for alias in databases or () if not are_made(using=alias)]
