"""The durable verbs about issuers of CI tokens and trusts in their jobs. A trust is never changed: it ends, and another one begins."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from apps.accounts.facts import are_two_administrators, standing_grants
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.accounts.steps import person_by_actor
from apps.audit.attempts import recorded_refusal
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.facts import person_facts
from apps.catalog.models import Environment, Service
from apps.core.actors import Actor
from apps.core.ids import new_id
from apps.core.locks import database_now, take_calendar_guard
from apps.core.references import Reference
from apps.core.refusals import BadContent, Refused, not_now
from apps.core.texts import read_line
from apps.core.verbs import verb
from apps.gate.fetching import why_not_address
from apps.gate.models import GateToken, Issuer, Trust
from apps.gate.rules.tokens import why_not_scope
from apps.gate.rules.trusting import (
    Pins,
    Scope,
    WaitingTrust,
    errors_in_issuer,
    errors_in_pins,
    why_not_configure,
    why_not_confirm_trust,
    why_not_end_trust,
)
from apps.gate.rules.workloads import PROJECT_CLAIMS, IssuerKind
from apps.gate.trusts import grant_hash

LONGEST_NAME, LONGEST_URL = 120, 300
SECRETLESS = "trust"  # where a token shows the beginning of its secret
ISSUER_OVER = not_now("issuer_over", "This issuer was ended.", "Enter it again, then add the trust.")


@recorded_refusal(Event.TRUST_REFUSED)
@verb
def add_issuer(*, name: str, url: str, kind: IssuerKind, by: Actor, project_claim: str = "", now: datetime | None = None) -> Issuer:
    """Enter an issuer: from now on its keys are read. By itself it lets nobody in. Raises BadContent."""
    now = now or database_now()
    _let_configure(by)
    claim = project_claim.strip() if kind is IssuerKind.OTHER else PROJECT_CLAIMS[kind]
    errors = errors_in_issuer(project_claim=claim, kind=kind)
    if said := why_not_address(url):
        errors["url"] = [said]
    elif Issuer.objects.filter(url=url, ended_at__isnull=True).exists():
        errors["url"] = ["This issuer is entered already."]
    if errors:
        raise BadContent(errors)
    made = Issuer.objects.create(
        name=read_line(name, field="name", longest=LONGEST_NAME),
        url=read_line(url, field="url", longest=LONGEST_URL),
        kind=kind,
        project_claim=claim,
        added_at=now,
        added_by=actor_text(by),
    )
    record(Event.ISSUER_ADDED, subject=made, by=by, at=now, data={"kind": kind, "url": url}, details={"name": made.name})
    return made


@recorded_refusal(Event.TRUST_REFUSED)
@verb
def end_issuer(issuer_id: int, *, by: Actor, now: datetime | None = None) -> Issuer:
    """Believe an issuer no longer; every trust in its jobs ends with it, from the next question on."""
    issuer, now = Issuer.objects.lock(issuer_id, now)
    _let_configure(by)
    if issuer.ended_at is not None:
        raise Refused(ISSUER_OVER, about=issuer.reference)
    for trust in Trust.objects.filter(issuer=issuer, grant__revoked_at__isnull=True).select_related("grant").order_by("pk"):
        _end(trust, by=by, at=now)
    issuer.ended_at, issuer.ended_by = now, actor_text(by)
    issuer.save(update_fields=["ended_at", "ended_by"])
    record(Event.ISSUER_ENDED, subject=issuer, by=by, at=now, details={"name": issuer.name})
    return issuer


@recorded_refusal(Event.TRUST_REFUSED)
@verb
def propose_trust(*, issuer_id: int, pins: Pins, scope: Scope, by: Actor, now: datetime | None = None) -> Trust:
    """Trust jobs of a project; with two active administrators another one confirms it first. Raises BadContent naming each field."""
    take_calendar_guard()
    issuer, now = Issuer.objects.lock(issuer_id, now)
    person = _let_configure(by)
    if issuer.ended_at is not None:
        raise Refused(ISSUER_OVER, about=issuer.reference)
    _read(pins, scope, kind=IssuerKind(issuer.kind))
    grant = _grant(scope, by=by, at=now)
    alone = not are_two_administrators()
    trust = Trust.objects.create(
        grant=grant,
        issuer=issuer,
        audience=pins.audience,
        project=pins.project,
        owner=pins.owner,
        environment=pins.environment,
        refs=sorted(set(pins.refs)),
        workflow=pins.workflow,
        takes_merge_requests=pins.takes_merge_requests,
        own_commit=pins.own_commit,
        proposed_by=person,
        in_force_at=now if alone else None,
    )
    hands: dict[str, object] = {"single_handed": True} if alone else {}
    event = Event.TRUST_BEGUN if alone else Event.TRUST_PROPOSED
    data = {**_told(trust), **hands}
    record(event, subject=trust, by=by, at=now, refs=_reach(trust), data=data, details={"name": grant.name})
    return trust


@recorded_refusal(Event.TRUST_REFUSED)
@verb
def confirm_trust(trust_id: int, *, by: Actor, now: datetime | None = None) -> Trust:
    """Put a trust in force that another administrator proposed."""
    take_calendar_guard()
    trust, now = _locked(trust_id, now)
    person = person_by_actor(by)
    if refusal := why_not_confirm_trust(person_facts(person), waiting_facts(trust, now=now)):
        raise Refused(refusal, about=trust.reference)
    trust.in_force_at, trust.confirmed_by = now, person
    trust.save(update_fields=["in_force_at", "confirmed_by"])
    details = {"name": trust.grant.name, "proposer": trust.proposed_by.name}
    refs = [trust.proposed_by.reference, *_reach(trust)]
    record(Event.TRUST_BEGUN, subject=trust, by=by, at=now, refs=refs, data=_told(trust), details=details)
    return trust


@recorded_refusal(Event.TRUST_REFUSED)
@verb
def end_trust(trust_id: int, *, by: Actor, now: datetime | None = None) -> Trust:
    """End a trust, or refuse or take back one that waits; its jobs are refused from the next question on."""
    trust, now = _locked(trust_id, now)
    if refusal := why_not_end_trust(person_facts(person_by_actor(by)), waiting_facts(trust, now=now)):
        raise Refused(refusal, about=trust.reference)
    _end(trust, by=by, at=now)
    return trust


def waiting_facts(trust: Trust, *, now: datetime) -> WaitingTrust:
    """A trust as rules see it; whoever was merged is who they are merged into."""
    proposer: Person = trust.proposed_by.merged_into or trust.proposed_by
    return WaitingTrust(
        proposed_by=proposer.public_id,
        proposer=proposer.name,
        is_proposer_administrator=standing_grants().filter(person=proposer, role=Role.ADMINISTRATOR).exists(),
        is_in_force=trust.in_force_at is not None,
        is_over=trust.grant.revoked_at is not None or now >= trust.grant.expires_at,
    )


def _locked(trust_id: int, now: datetime | None) -> tuple[Trust, datetime]:
    trust, at = Trust.objects.lock(trust_id, now)
    trust.grant, at = GateToken.objects.lock(trust.grant_id, now)
    return trust, at


def _let_configure(by: Actor) -> Person:
    person = person_by_actor(by)
    if refusal := why_not_configure(person_facts(person)):
        raise Refused(refusal)
    return person


def _read(pins: Pins, scope: Scope, *, kind: IssuerKind) -> None:
    places = Environment.objects.filter(retired_at__isnull=True)
    if scope.environment_ids is not None:
        places = places.filter(pk__in=scope.environment_ids)
    reaches = scope.environment_ids is None or places.filter(change_required="APPROVED").exists()
    errors = errors_in_pins(pins, kind=kind, reaches_approval=reaches)
    errors |= why_not_scope(days=scope.days, actions=scope.actions, services=scope.service_ids, environments=scope.environment_ids)
    if errors:
        raise BadContent(errors)


def _grant(scope: Scope, *, by: Actor, at: datetime) -> GateToken:
    public_id = new_id()
    return GateToken.objects.create(
        public_id=public_id,
        name=read_line(scope.name, field="name", longest=LONGEST_NAME),
        prefix=SECRETLESS,
        hash=grant_hash(public_id),
        actions=sorted(set(scope.actions)),
        service_ids=None if scope.service_ids is None else sorted(set(scope.service_ids)),
        environment_ids=None if scope.environment_ids is None else sorted(set(scope.environment_ids)),
        detail=scope.detail,
        issued_at=at,
        issued_by=actor_text(by),
        expires_at=at + timedelta(days=scope.days),
    )


def _end(trust: Trust, *, by: Actor, at: datetime) -> None:
    grant = trust.grant
    grant.revoked_at, grant.revoked_by = at, actor_text(by)
    grant.save(update_fields=["revoked_at", "revoked_by"])
    record(Event.TRUST_ENDED, subject=trust, by=by, at=at, refs=[trust.issuer.reference], details={"name": grant.name})


def _told(trust: Trust) -> dict[str, object]:
    """The pins, as the record keeps them: ids and refs."""
    said = {"project": trust.project, "audience": trust.audience, "owner": trust.owner, "ci_environment": trust.environment}
    return {key: value for key, value in said.items() if value} | {
        "refs": list(trust.refs),
        "workflow": trust.workflow or None,
        "merge_requests": trust.takes_merge_requests,
        "own_commit": trust.own_commit,
        "actions": list(trust.grant.actions),
        "expires_at": trust.grant.expires_at,
    }


def _reach(trust: Trust) -> Iterable[Reference]:
    services = Service.objects.filter(pk__in=trust.grant.service_ids or ())
    environments = Environment.objects.filter(pk__in=trust.grant.environment_ids or ())
    return [trust.issuer.reference, *(one.reference for one in services), *(one.reference for one in environments)]
