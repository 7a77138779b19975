"""Writing policies: a wording is never changed, only followed by the next one."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Max

from apps.accounts.models import Person, Team
from apps.approvals.models import Policy, PolicyVersion
from apps.approvals.policy_body import policy_bytes, read_policy
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.models import Environment, Service
from apps.core.actors import Actor
from apps.core.canonical import digest
from apps.core.references import Reference
from apps.core.refusals import BadContent
from apps.core.texts import read_line

LONGEST_NAME = 120
# Until a second administrator can confirm an edit, every edit says that one person made it alone.
SINGLE_HANDED = {"single_handed": True}


def set_policy(
    *,
    name: str,
    environment: Environment,
    document: Mapping[str, object],
    by: Actor,
    at: datetime,
    service: Service | None = None,
    kind: str = "",
) -> Policy:
    """Write the next wording of the policy for this place and kind, or its first one; raises BadContent.

    The calendar guard is the caller's. The same name and wording again write nothing."""
    printed, data = read_line(name, field="name", longest=LONGEST_NAME), policy_bytes(document)
    _refuse_strangers(data)
    standing = Policy.objects.open_now().filter(environment=environment, service=service, kind=kind).select_related("version")
    policy = standing.first() or Policy.objects.create(environment=environment, service=service, kind=kind, name=printed)
    if policy.version and (policy.version.digest, policy.name) == (digest(data), printed):
        return policy
    number = (policy.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    made_by = actor_text(by)
    policy.version = PolicyVersion.objects.create(policy=policy, number=number, body=data, digest=digest(data), made_at=at, made_by=made_by)
    policy.name = printed
    policy.save(update_fields=["name", "version"])
    said = {"number": number, "digest": policy.version.digest, "kind": kind or None, **SINGLE_HANDED}
    record(Event.POLICY_WRITTEN, subject=policy, by=by, at=at, refs=_about(policy), data=said, details={"name": printed})
    return policy


def end_policy(policy: Policy, *, by: Actor, at: datetime) -> None:
    """End a policy; where no other one says who agrees, the answer is no."""
    policy.retired_at = at
    policy.save(update_fields=["retired_at"])
    record(Event.POLICY_RETIRED, subject=policy, by=by, at=at, refs=_about(policy), data=SINGLE_HANDED, details={"name": policy.name})


def _about(policy: Policy) -> list[Reference]:
    return [policy.environment.reference, *([policy.service.reference] if policy.service else [])]


def _refuse_strangers(data: bytes) -> None:
    """A rule that names a person or a team who is not there could never be met."""
    errors: dict[str, list[str]] = {}
    for at, rule in enumerate(read_policy(data, policy_id=UUID(int=0), name="", number=0, digest="").rules):
        present = Person.objects.present().filter(public_id__in=rule.group.persons).count()
        if present < len(rule.group.persons):
            errors[f"rules.{at}.group.persons"] = ["Somebody named here is not an active person. Choose people who are."]
        if rule.group.team and not Team.objects.open_now().filter(public_id=rule.group.team).exists():
            errors[f"rules.{at}.group.team"] = ["There is no such team. Choose one that is not retired."]
    if errors:
        raise BadContent(errors)
