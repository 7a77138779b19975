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


# As the audit's guard: a load with triggers switched off leaves them so that a session may switch them off.
UNWATCHED = """select name from unnest(%s::text[]) as name where not exists (
    select from pg_trigger where tgrelid = to_regclass(name) and tgname = 'gate_ground' and tgenabled = 'A') order by 1"""
STAMPS = 8  # rows of gate_ground
WATCHED = (
    "accounts_membership", "accounts_person", "accounts_rolegrant", "accounts_team", "approvals_policy", "approvals_policyversion",
    "audit_installation", "audit_publickey", "catalog_environment", "catalog_environmentalias", "catalog_ownership",
    "catalog_service", "catalog_servicealias", "catalog_servicerole", "catalog_target", "catalog_targetsettings",
    "changes_revision", "gate_rulemode", "schedule_calendarrule", "schedule_hold",
)  # fmt: skip


@register(Tags.database)
def ground_is_watched(*, databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's own signature
    """Name the tables whose writes the gate would not see: it would answer by what its processes remember."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("select to_regclass('gate_ground') is not null")
            if cursor.fetchone() != (True,):  # before the first migration
                continue
            cursor.execute(UNWATCHED, [[*WATCHED]])
            missing = [name for (name,) in cursor.fetchall()]
            cursor.execute("select count(*) from gate_ground")
            (rows,) = cursor.fetchone()
        if missing or rows != STAMPS:
            said = f"Writes to {', '.join(missing)} give no new stamp" if missing else f"gate_ground has {rows} rows, not {STAMPS}"
            hint = "Have the owner run: alter table … enable always trigger gate_ground; then restart web and workers."
            found.append(checks.Warning(f"{said}, so the gate may answer by what is over.", hint=hint, id="gate.W003"))
    return found


@register(Tags.database)
def functions_of_this_release(*, databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's own signature
    """Say where the functions that this release calls are missing."""
    said = "The gate's functions of this release are missing, so it answers no question."
    return [checks.Warning(said, hint="Run migrate.", id="gate.W002") for alias in databases or () if not are_made(using=alias)]
