"""What `manage.py check --database default` asks about the gate: are next month's partitions there?"""

from collections.abc import Collection
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

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
                Error(f"The partition {name} is missing, so the gate stops answering next month.", hint="Run migrate.", id="gate.E001")
                for (name,) in cursor.fetchall()
            ]
    return found
