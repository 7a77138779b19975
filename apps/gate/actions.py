"""The durable verbs of the gate: tokens and rule modes. Answers are written by `evaluate`."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from apps.accounts.steps import asker
from apps.audit.attempts import recorded_refusal
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.models import Environment, Service
from apps.core.actors import Actor, ActorKind
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import BadContent, Refused
from apps.core.texts import read_line
from apps.core.verbs import verb
from apps.gate.models import GateToken, RuleMode
from apps.gate.rules import Action, AskerFacts, Detail, Mode
from apps.gate.rules.tokens import why_not_administer, why_not_mode, why_not_revoke, why_not_scope

PREFIX = "ccg_"
PREFIX_LENGTH = len(PREFIX) + 8
LONGEST_NAME = 120
HOST = "host"  # the system actor of commands: whoever has the host has the keys
REFUSED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A token and its secret, which exists nowhere else and is shown once."""

    token: GateToken
    secret: str


@recorded_refusal(Event.GATE_TOKEN_REFUSED)
@verb
def issue_gate_token(
    *,
    name: str,
    actions: Collection[Action],
    days: int,
    by: Actor,
    services: Collection[Service] | None = None,
    environments: Collection[Environment] | None = None,
    detail: Detail = Detail.FULL,
    now: datetime | None = None,
) -> Issued:
    """Issue a token for a pipeline; it ends after `days`. None as a scope means all."""
    now = now or database_now()
    _let_administrator(by)
    if errors := why_not_scope(days=days, actions=actions, services=services, environments=environments):
        raise BadContent(errors)
    secret = PREFIX + secrets.token_urlsafe(32)
    token = GateToken.objects.create(
        name=read_line(name, field="name", longest=LONGEST_NAME),
        prefix=secret[:PREFIX_LENGTH],
        hash=hashlib.sha256(secret.encode()).digest(),
        actions=sorted({Action(action) for action in actions}),
        service_ids=None if services is None else sorted({one.pk for one in services}),
        environment_ids=None if environments is None else sorted({one.pk for one in environments}),
        detail=detail,
        issued_at=now,
        issued_by=actor_text(by),
        expires_at=now + timedelta(days=days),
    )
    refs = [*(service.reference for service in services or ()), *(environment.reference for environment in environments or ())]
    data = {"actions": token.actions, "detail": detail, "expires_at": token.expires_at}
    record(Event.GATE_TOKEN_ISSUED, subject=token, by=by, at=now, refs=refs, data=data, details={"name": token.name})
    return Issued(token, secret)


@recorded_refusal(Event.GATE_TOKEN_REFUSED)
@verb
def revoke_gate_token(token_id: int, *, by: Actor, reason: str = "", now: datetime | None = None) -> GateToken:
    """End a token now; whoever carries it is refused from the next question on."""
    token, now = GateToken.objects.lock(token_id, now)
    _let_administrator(by, token)
    if refusal := why_not_revoke(token.name, is_revoked=token.revoked_at is not None):
        raise Refused(refusal, about=token.reference)
    token.revoked_at, token.revoked_by = now, actor_text(by)
    token.save(update_fields=["revoked_at", "revoked_by"])
    record(Event.GATE_TOKEN_REVOKED, subject=token, by=by, at=now, details={"name": token.name, "reason": reason})
    return token


@verb
def set_rule_mode(
    *, environment_id: int, rule: str, mode: Mode, by: Actor, reason: str = "", now: datetime | None = None
) -> RuleMode | None:
    """Say how a rule is applied in an environment; None where it is applied so already."""
    take_calendar_guard()
    environment, now = Environment.objects.lock(environment_id, now)
    _let_administrator(by)
    if refusal := why_not_mode(rule):
        raise Refused(refusal, about=environment.reference)
    row = RuleMode.objects.filter(environment=environment, rule=rule).first()
    before = row.mode if row else Mode.ENFORCED.value
    if before == mode:
        return None
    row = row or RuleMode(environment=environment, rule=rule)
    row.mode, row.set_at, row.set_by = mode, now, actor_text(by)
    row.save()
    data = {"rule": rule, "mode": mode, "before": before}
    record(Event.RULE_MODE_CHANGED, subject=environment, by=by, at=now, data=data, details={"reason": reason})
    return row


@verb
def note_dead_token(dead: AskerFacts, *, at: datetime) -> None:
    """Record that an expired or revoked gate token was used; once an hour, so that its pipeline fills no stream."""
    long_ago = Q(refused_at__isnull=True) | Q(refused_at__lt=at - REFUSED_EVERY)
    if not dead.pk or not GateToken.objects.filter(long_ago, pk=dead.pk).update(refused_at=at):
        return
    token = GateToken.objects.get(pk=dead.pk)
    by = Actor(ActorKind.TOKEN, str(token.public_id))
    record(Event.GATE_TOKEN_REFUSED, subject=token, by=by, at=at, data={"code": "token_over"}, details={"name": token.name})


def _let_administrator(by: Actor, token: GateToken | None = None) -> None:
    is_host = by.kind is ActorKind.SYSTEM and by.id == HOST
    if refusal := why_not_administer(is_administrator=is_host or asker(by).is_administrator):
        raise Refused(refusal, about=token.reference if token else None)
