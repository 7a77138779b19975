"""The durable verbs of the gate: tokens and rule modes. Answers are written by `evaluate`."""

import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from apps.accounts.facts import are_two_administrators
from apps.accounts.steps import asker, person_by_actor
from apps.approvals.models import ProposalOutcome
from apps.audit.attempts import recorded_refusal
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.facts import environment_facts as place_of
from apps.catalog.facts import person_facts
from apps.catalog.models import Environment, Service
from apps.catalog.rules import retired
from apps.catalog.steps import write_environment
from apps.core.actors import Actor, ActorKind
from apps.core.locks import database_now, take_calendar_guard
from apps.core.references import reference
from apps.core.refusals import BadContent, Refused
from apps.core.texts import read_line
from apps.core.verbs import verb
from apps.gate.answers import actor_of
from apps.gate.grace import write_grace
from apps.gate.models import GateToken, Relaxation, RuleMode
from apps.gate.rules import Action, AskerFacts, AskerKind, Detail, Mode
from apps.gate.rules.relaxing import (
    GRACE,
    REQUIRED,
    errors_of,
    weakens,
    why_not_confirm_relaxation,
    why_not_end_relaxation,
    why_not_propose_relaxation,
    why_not_weaken,
)
from apps.gate.rules.tokens import (
    errors_in_rotation,
    why_not_administer,
    why_not_mode,
    why_not_revoke,
    why_not_rotate,
    why_not_scope,
)
from apps.gate.strictness import TITLES, as_it_is, open_relaxations, relaxation_facts

PREFIX = "ccg_"
PREFIX_LENGTH = len(PREFIX) + 8
LONGEST_NAME = 120
LONGEST_REASON = 300
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
def rotate_gate_token(token_id: int, *, days: int, hours: int, by: Actor, now: datetime | None = None) -> Issued:
    """Issue a token that may ask what this one may; this one goes on for `hours`, so that pipelines can change over.

    Both are one credential: each finds what the other began."""
    token, now = GateToken.objects.lock(token_id, now)
    _let_administrator(by, token)
    if refusal := why_not_rotate(token.name, is_live=token.is_live(now)):
        raise Refused(refusal, about=token.reference)
    if errors := errors_in_rotation(days=days, hours=hours):
        raise BadContent(errors)
    secret = PREFIX + secrets.token_urlsafe(32)
    made = GateToken.objects.create(
        name=token.name,
        origin_id=token.origin_id or token.pk,
        prefix=secret[:PREFIX_LENGTH],
        hash=hashlib.sha256(secret.encode()).digest(),
        actions=token.actions,
        service_ids=token.service_ids,
        environment_ids=token.environment_ids,
        detail=token.detail,
        issued_at=now,
        issued_by=actor_text(by),
        expires_at=now + timedelta(days=days),
    )
    token.expires_at = min(token.expires_at, now + timedelta(hours=hours))
    token.save(update_fields=["expires_at"])
    data = {"expires_at": made.expires_at, "before_expires_at": token.expires_at}
    record(Event.GATE_TOKEN_ROTATED, subject=made, by=by, at=now, refs=[token.reference], data=data, details={"name": made.name})
    return Issued(made, secret)


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


@recorded_refusal(Event.RELAXATION_REFUSED)
@verb
def set_rule_mode(
    *, environment_id: int, rule: str, mode: Mode, by: Actor, reason: str = "", now: datetime | None = None
) -> RuleMode | None:
    """Say how a rule is applied in an environment; None where it is applied so already. To weaken it may take two."""
    take_calendar_guard()
    environment, now = Environment.objects.lock(environment_id, now)
    _let_administrator(by)
    if refusal := why_not_mode(rule):
        raise Refused(refusal, about=environment.reference)
    before = as_it_is(environment, rule)
    if before == mode:
        return None
    is_weaker = weakens(rule, before, mode)
    if refusal := why_not_weaken(are_two=not _is_host(by) and are_two_administrators(), is_weaker=is_weaker):
        raise Refused(refusal, about=environment.reference)
    hands: dict[str, object] = {"single_handed": True} if is_weaker else {}
    return _put_mode(environment, rule=rule, mode=mode, by=by, at=now, told=({"before": before, **hands}, {"reason": reason}))


@recorded_refusal(Event.RELAXATION_REFUSED)
@verb
def propose_relaxation(
    *, environment_id: int, rule: str, after: str, by: Actor, reason: str = "", now: datetime | None = None
) -> Relaxation:
    """Propose that a rule is less strict, or without one what a change needs, or by GRACE that a yes is good for longer without us.

    It holds when another administrator confirms it. Raises BadContent naming each field."""
    take_calendar_guard()
    environment, now = Environment.objects.lock(environment_id, now)
    _let_administrator(by)
    if refusal := retired(place_of(environment)):
        raise Refused(refusal, about=environment.reference)
    if errors := errors_of(rule, after):
        raise BadContent(errors)
    said = read_line(reason, field="reason", longest=LONGEST_REASON, empty=rule != GRACE)
    before, waiting = as_it_is(environment, rule), open_relaxations(environment).filter(rule=rule).first()
    if refusal := why_not_propose_relaxation(rule, before=before, after=after, waiting_by=waiting.proposed_by.name if waiting else ""):
        raise Refused(refusal, about=environment.reference)
    person = person_by_actor(by)
    given = {"environment": environment, "rule": rule, "before": before, "after": after, "reason": said}
    made = Relaxation.objects.create(**given, proposed_at=now, proposed_by=person)
    details = {"what": TITLES[rule], "reason": said}
    record(Event.RELAXATION_PROPOSED, subject=made, refs=[environment.reference], by=by, at=now, data=_told(made), details=details)
    return made


@recorded_refusal(Event.RELAXATION_REFUSED)
@verb
def confirm_relaxation(*, relaxation_id: int, by: Actor, now: datetime | None = None) -> Relaxation:
    """Let the environment ask for less, as another administrator proposed."""
    take_calendar_guard()
    relaxation, environment, now = _relaxation(relaxation_id, now)
    if refusal := why_not_confirm_relaxation(person_facts(person_by_actor(by)), relaxation=relaxation_facts(relaxation)):
        raise Refused(refusal, about=relaxation.reference)
    _decide(relaxation, ProposalOutcome.CONFIRMED, by=by, at=now)
    proposer = relaxation.proposed_by
    if relaxation.rule == REQUIRED:
        write_environment(environment, {"change_required": relaxation.after}, by=by, at=now, proposed_by=proposer)
    elif relaxation.rule == GRACE:
        write_grace(environment, int(relaxation.after), by=by, at=now, reason=relaxation.reason, proposer=proposer)
    else:
        told = {"before": relaxation.before}, {"reason": relaxation.reason, "proposer": proposer.name}
        _put_mode(environment, rule=relaxation.rule, mode=Mode(relaxation.after), by=by, at=now, told=told)
    return relaxation


@recorded_refusal(Event.RELAXATION_REFUSED)
@verb
def end_relaxation(*, relaxation_id: int, by: Actor, now: datetime | None = None) -> Relaxation:
    """Take one's own proposal back, or refuse another's. The environment stays as it is."""
    take_calendar_guard()
    relaxation, _, now = _relaxation(relaxation_id, now)
    facts, person = relaxation_facts(relaxation), person_facts(person_by_actor(by))
    if refusal := why_not_end_relaxation(person, relaxation=facts):
        raise Refused(refusal, about=relaxation.reference)
    own = person.canonical_id == facts.proposed_by
    _decide(relaxation, ProposalOutcome.TAKEN_BACK if own else ProposalOutcome.REFUSED, by=by, at=now)
    return relaxation


@verb
def note_dead_token(dead: AskerFacts, *, at: datetime) -> None:
    """Record that an expired or revoked gate token was used; once an hour, so that its pipeline fills no stream."""
    long_ago = Q(refused_at__isnull=True) | Q(refused_at__lt=at - REFUSED_EVERY)
    if not dead.pk or not GateToken.objects.filter(long_ago, pk=dead.pk).update(refused_at=at):
        return
    is_job = dead.kind is AskerKind.WORKLOAD
    event, kind = (Event.TRUST_REFUSED, "trust") if is_job else (Event.GATE_TOKEN_REFUSED, "gate_token")
    about = reference(kind, str(dead.id))
    record(event, subject=about, by=actor_of(dead), at=at, data={"code": "token_over"}, details={"name": dead.name})


def _relaxation(pk: int, now: datetime | None) -> tuple[Relaxation, Environment, datetime]:
    relaxation, at = Relaxation.objects.lock(pk, now)
    environment, _ = Environment.objects.lock(relaxation.environment_id, at)
    relaxation.environment = environment
    return relaxation, environment, at


def _decide(relaxation: Relaxation, outcome: ProposalOutcome, *, by: Actor, at: datetime) -> None:
    relaxation.outcome, relaxation.decided_by, relaxation.decided_at = outcome.value, person_by_actor(by), at
    relaxation.save(update_fields=["outcome", "decided_by", "decided_at"])
    refs, proposer = [relaxation.environment.reference, relaxation.proposed_by.reference], relaxation.proposed_by.name
    details, data = {"what": TITLES[relaxation.rule], "proposer": proposer}, {**_told(relaxation), "outcome": outcome.value}
    record(Event.RELAXATION_DECIDED, subject=relaxation, refs=refs, by=by, at=at, data=data, details=details)


def _told(relaxation: Relaxation) -> dict[str, object]:
    return {"rule": relaxation.rule or None, "before": relaxation.before, "after": relaxation.after}


def _put_mode(
    environment: Environment, *, rule: str, mode: Mode, by: Actor, at: datetime, told: tuple[Mapping[str, object], Mapping[str, str]]
) -> RuleMode:
    row = RuleMode.objects.filter(environment=environment, rule=rule).first() or RuleMode(environment=environment, rule=rule)
    row.mode, row.set_at, row.set_by = mode, at, actor_text(by)
    row.save()
    data, details = told
    said = {"rule": rule, "mode": mode, **data}
    record(Event.RULE_MODE_CHANGED, subject=environment, by=by, at=at, data=said, details=details)
    return row


def _is_host(by: Actor) -> bool:
    return by.kind is ActorKind.SYSTEM and by.id == HOST


def _let_administrator(by: Actor, token: GateToken | None = None) -> None:
    if refusal := why_not_administer(is_administrator=_is_host(by) or asker(by).is_administrator):
        raise Refused(refusal, about=token.reference if token else None)
