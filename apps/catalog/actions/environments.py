"""Verbs about environments."""

from datetime import datetime
from typing import Unpack

from apps.accounts.facts import are_two_administrators
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.facts import environment_facts
from apps.catalog.inputs import EnvironmentFields
from apps.catalog.models import Environment, EnvironmentAlias
from apps.catalog.rules import why_not_ask_less, why_not_change_place, why_not_configure, why_not_retire_place
from apps.catalog.steps import add_environment, asker, read_environment, write_environment
from apps.core.actors import Actor
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import Refused
from apps.core.verbs import verb


@verb
def create_environment(*, by: Actor, now: datetime | None = None, **given: Unpack[EnvironmentFields]) -> Environment:
    """Add a rung to the ladder; `slug`, `name` and `rank` are needed. It asks for approved changes unless said otherwise."""
    take_calendar_guard()
    if refusal := why_not_configure(asker(by)):
        raise Refused(refusal)
    return add_environment(given, by=by, at=now or database_now())


@verb
def change_environment(environment_id: int, *, by: Actor, now: datetime | None = None, **given: Unpack[EnvironmentFields]) -> Environment:
    """Change what is given. An old slug keeps working and is never another environment's. To ask for less may take two."""
    take_calendar_guard()
    environment, now = Environment.objects.lock(environment_id, now)
    if refusal := why_not_change_place(asker(by), environment_facts(environment)):
        raise Refused(refusal, about=environment.reference)
    found = read_environment(given, of=environment)
    before, after = environment.change_required, str(found.get("change_required", environment.change_required))
    if refusal := why_not_ask_less(before, after, are_two=are_two_administrators()):
        raise Refused(refusal, about=environment.reference)
    if found.get("slug", environment.slug) != environment.slug:
        EnvironmentAlias.objects.get_or_create(slug=environment.slug, defaults={"environment": environment})
        EnvironmentAlias.objects.filter(slug=found["slug"]).delete()  # its own old one, taken back
    write_environment(environment, found, by=by, at=now)
    return environment


@verb
def retire_environment(environment_id: int, *, by: Actor, now: datetime | None = None) -> Environment:
    """End an environment: the gate denies every version there from now on."""
    take_calendar_guard()
    environment, now = Environment.objects.lock(environment_id, now)
    if refusal := why_not_retire_place(asker(by), environment_facts(environment)):
        raise Refused(refusal, about=environment.reference)
    environment.retired_at = now
    environment.save(update_fields=["retired_at"])
    record(Event.ENVIRONMENT_RETIRED, subject=environment, by=by, at=now, details={"name": environment.name})
    return environment
