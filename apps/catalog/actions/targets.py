"""Verbs about targets: settings, locks, and adopting what runs."""

from collections.abc import Mapping
from datetime import datetime

from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.facts import environment_facts, service_facts, target_facts
from apps.catalog.inputs import LONGEST_REASON
from apps.catalog.models import Arrival, Environment, Outcome, Service, Target, TargetSettings
from apps.catalog.rules import (
    why_not_adopt_version,
    why_not_create_target,
    why_not_lock_target,
    why_not_unlock_target,
    why_not_write_settings,
)
from apps.catalog.settings_body import settings_bytes
from apps.catalog.steps import add_settings, add_target, asker, note_arrival, target_refs
from apps.catalog.versions import Version, read_identities
from apps.core.actors import Actor
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import Refused
from apps.core.texts import read_line
from apps.core.verbs import verb


@verb
def create_target(service_id: int, environment_id: int, *, by: Actor, now: datetime | None = None) -> Target:
    """Let a service live in an environment. Nothing is deployed there before its settings are written."""
    take_calendar_guard()
    service, now = Service.objects.lock(service_id, now or database_now())
    environment = Environment.objects.get(pk=environment_id)
    exists = Target.objects.filter(service=service, environment=environment).exists()
    if refusal := why_not_create_target(asker(by), service_facts(service), environment_facts(environment), exists=exists):
        raise Refused(refusal, about=service.reference)
    return add_target(service, environment, by=by, at=now)


@verb
def write_target_settings(target_id: int, *, settings: Mapping[str, object], by: Actor, now: datetime | None = None) -> TargetSettings:
    """Write the next version of the settings. A sign-off that covers the old ones is to be re-affirmed before a start."""
    target, now = Target.objects.lock(target_id, now)
    if refusal := why_not_write_settings(asker(by), target_facts(target)):
        raise Refused(refusal, about=target.reference)
    body = settings_bytes(settings)
    if target.settings is not None and bytes(target.settings.body) == body:
        return target.settings
    return add_settings(target, body, by=by, at=now)


@verb
def lock_target(target_id: int, *, reason: str, by: Actor, now: datetime | None = None) -> Target:
    """Stop everything new on a target until somebody unlocks it; a deployment that runs goes on."""
    target, now = Target.objects.lock(target_id, now)
    if refusal := why_not_lock_target(asker(by, target.service), target_facts(target)):
        raise Refused(refusal, about=target.reference)
    target.lock_reason = read_line(reason, field="reason", longest=LONGEST_REASON)
    target.locked_at, target.locked_by = now, actor_text(by)
    target.save(update_fields=["locked_at", "locked_by", "lock_reason"])
    record(
        Event.TARGET_LOCKED,
        subject=target,
        refs=target_refs(target),
        by=by,
        at=now,
        details={"name": str(target), "reason": target.lock_reason},
    )
    return target


@verb
def unlock_target(target_id: int, *, by: Actor, now: datetime | None = None) -> Target:
    """Let deployments to a target begin again."""
    target, now = Target.objects.lock(target_id, now)
    if refusal := why_not_unlock_target(asker(by, target.service), target_facts(target)):
        raise Refused(refusal, about=target.reference)
    details = {"name": str(target), "reason": target.lock_reason}
    target.locked_at, target.locked_by, target.lock_reason = None, "", ""
    target.save(update_fields=["locked_at", "locked_by", "lock_reason"])
    record(Event.TARGET_UNLOCKED, subject=target, refs=target_refs(target), by=by, at=now, details=details)
    return target


@verb
def adopt_version(target_id: int, *, version: Version, reason: str, by: Actor, now: datetime | None = None) -> Arrival:
    """Write down what runs already: an existing system enters, without a change and with a reason."""
    target, now = Target.objects.lock(target_id, now)
    if refusal := why_not_adopt_version(asker(by, target.service), target_facts(target)):
        raise Refused(refusal, about=target.reference)
    said = read_line(reason, field="reason", longest=LONGEST_REASON)
    label = read_line(version.label, field="label", longest=120)
    identities = read_identities((kind, value) for kind, _, value in (text.partition(":") for text in version.identities))
    return note_arrival(target, Version(label, identities), Outcome.ADOPTED, by=by, at=now, reason=said)
