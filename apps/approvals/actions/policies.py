"""Writing and ending policies. Nothing begins meanwhile: the calendar guard is held alone."""

from collections.abc import Mapping
from datetime import datetime

from apps.approvals.models import Policy
from apps.approvals.rules import why_not_retire_policy, why_not_write_policy
from apps.approvals.steps import end_policy, set_policy
from apps.audit.attempts import recorded_refusal
from apps.audit.vocabulary import Event
from apps.catalog.models import Environment, Service
from apps.catalog.rules import PlaceFacts
from apps.catalog.steps import asker
from apps.changes.states import Kind
from apps.core.actors import Actor
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import BadContent, Refused
from apps.core.verbs import verb


@recorded_refusal(Event.POLICY_REFUSED)
@verb
def write_policy(
    *,
    name: str,
    environment_id: int,
    document: Mapping[str, object],
    by: Actor,
    service_id: int | None = None,
    kind: str = "",
    now: datetime | None = None,
) -> Policy:
    """Write who must agree, for an environment or more narrowly for a service, a kind of change or both.

    Sign-offs are counted against it from now on, those already given too. Raises BadContent naming each field."""
    take_calendar_guard()
    environment = Environment.objects.get(pk=environment_id)
    service = Service.objects.get(pk=service_id) if service_id is not None else None
    places = tuple(PlaceFacts(place.name, is_retired=place.retired_at is not None) for place in (environment, service) if place)
    if refusal := why_not_write_policy(asker(by), places=places):
        raise Refused(refusal, about=environment.reference)
    if kind not in {"", *Kind}:
        raise BadContent({"kind": [f"One of {', '.join(Kind)}, or nothing for every kind."]})
    at = now or database_now()
    return set_policy(name=name, environment=environment, service=service, kind=kind, document=document, by=by, at=at)


@recorded_refusal(Event.POLICY_REFUSED)
@verb
def retire_policy(*, policy_id: int, by: Actor, now: datetime | None = None) -> Policy:
    """End a policy. Where no wider one takes over, nothing can be agreed to and the gate says no."""
    take_calendar_guard()
    policy, now = Policy.objects.lock(policy_id, now)
    if refusal := why_not_retire_policy(asker(by), is_retired=policy.retired_at is not None):
        raise Refused(refusal, about=policy.reference)
    end_policy(policy, by=by, at=now)
    return policy
