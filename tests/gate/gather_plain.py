"""The same facts through plain ORM queries, one after another: slow, and written without a look at the one statement."""

from datetime import datetime

from django.db.models import Q

from apps.approvals.facts import exceptions_facts, quorum_facts, read_exceptions
from apps.approvals.rules import ExceptionFacts
from apps.catalog.models import Arrival, Environment, Service, Target
from apps.changes.content import PARTS, content_from_bytes, revision_digest
from apps.changes.evidence.kinds import Kind
from apps.changes.models import EvidenceUpload, Leg, LegIdentity
from apps.core.canonical import digest
from apps.gate.legs import LEGS
from apps.gate.models import GateToken, RuleMode
from apps.gate.rules import (
    AskerFacts,
    AskerKind,
    CalendarFacts,
    ClosedFacts,
    Detail,
    EnvironmentFacts,
    EvidenceFacts,
    Facts,
    HoldFacts,
    LegFacts,
    Question,
    ReservationFacts,
    RungFacts,
    ServiceFacts,
    SlotFacts,
    TargetFacts,
)
from apps.schedule.models import CalendarRule, Hold, Reservation, Slot


def gather_plainly(question: Question, *, now: datetime) -> Facts:
    service = Service.objects.filter(Q(slug=question.service) | Q(aliases__slug=question.service)).first()
    environment = Environment.objects.filter(Q(slug=question.environment) | Q(aliases__slug=question.environment)).first()
    target = (
        Target.objects.filter(service=service, environment=environment).select_related("settings").first()
        if service and environment
        else None
    )
    legs = [leg for leg in _named(question, service, environment) if LegIdentity.objects.filter(leg=leg, is_open=True).exists()]
    # Closed ones explain a no where no open one is; beside an open one nobody asks for them.
    closed = [] if legs else _named(question, service, environment)
    scopes = _scopes(service, environment, target)
    return Facts(
        now=now,
        question=question,
        asker=_asker(question, now),
        service=service and ServiceFacts(service.pk, service.public_id, service.slug, service.name, service.is_restricted, service.retired_at is not None),
        environment=environment and _environment(environment),
        target=target and _target(target),
        legs=tuple(_leg(leg, question, now) for leg in legs[:LEGS]),
        legs_cut=len(legs) > LEGS,
        closed=tuple(ClosedFacts(leg.change.ref, leg.change.state, leg.state, tuple(leg.item.identities)) for leg in reversed(closed[-4:])),
        calendar=_calendar(scopes, now),
        holds=tuple(
            HoldFacts(hold.source, hold.reason, hold.placed_at)
            for hold in Hold.objects.filter(scope__in=scopes, lifted_at__isnull=True).order_by("pk")[:5]
        ),
        reservations=tuple(
            ReservationFacts(one.held_for, one.reserved_until)
            for one in Reservation.objects.filter(target=target, released_at__isnull=True, reserved_until__gt=now).order_by("-reserved_until")[:5]
        ) if target else (),
        rungs=_rungs(question, service, environment),
        modes={mode.rule: mode.mode for mode in RuleMode.objects.filter(environment=environment)} if environment else {},
    )  # fmt: skip


def _named(question, service, environment) -> list[Leg]:
    found = Leg.objects.filter(service=service, environment=environment, identities__identity__in=question.identities)
    if question.leg_id is not None:
        found = found.filter(pk=question.leg_id)
    return [*found.distinct().select_related("change__revision", "item", "service", "environment", "target__settings").order_by("pk")]


def _scopes(service, environment, target) -> list[int]:
    billion = 1_000_000_000
    scopes = [0]
    if environment:
        scopes.append(billion + environment.pk)
    if service:
        scopes += [2 * billion + service.tier, 3 * billion + service.team_id, 4 * billion + service.pk]
    if target:
        scopes.append(5 * billion + target.pk)
    return scopes


def _asker(question: Question, now: datetime) -> AskerFacts:
    if question.credential is None:
        return AskerFacts(AskerKind.SYSTEM)
    token = GateToken.objects.filter(hash=question.credential).first()
    if token is None:
        return AskerFacts(AskerKind.UNKNOWN, is_live=False)
    return AskerFacts(
        kind=AskerKind.TOKEN,
        pk=token.pk,
        id=token.public_id,
        name=token.name,
        is_live=token.is_live(now),
        actions=frozenset(token.actions),
        service_ids=None if token.service_ids is None else frozenset(token.service_ids),
        environment_ids=None if token.environment_ids is None else frozenset(token.environment_ids),
        detail=Detail(token.detail),
    )


def _environment(row: Environment) -> EnvironmentFacts:
    return EnvironmentFacts(
        row.pk,
        row.public_id,
        row.slug,
        row.name,
        row.rank,
        row.change_required,
        row.time_zone,
        is_retired=row.retired_at is not None,
        offline_minutes=row.offline_grace_minutes,
    )


def _target(row: Target) -> TargetFacts:
    import json

    body = json.loads(bytes(row.settings.body)) if row.settings else {}
    return TargetFacts(
        pk=row.pk,
        id=row.public_id,
        running=tuple(row.running_identities),
        running_label=row.running_label,
        previous=tuple(row.previous_identities),
        previous_label=row.previous_label,
        occupied_by=row.occupied_by,
        occupied_since=row.occupied_since,
        locked_at=row.locked_at,
        lock_reason=row.lock_reason,
        settings_digest=row.settings.digest if row.settings else "",
        deploy_seconds=body.get("deploy_seconds", 0),
        bake_seconds=body.get("bake_seconds", 0),
        is_retired=row.retired_at is not None,
    )


def _exceptions(leg: Leg, now: datetime) -> tuple[ExceptionFacts, ...]:
    found = read_exceptions().filter(leg=leg, agreed_at__isnull=False, withdrawn_at__isnull=True, ends_at__gt=now).order_by("-pk")[:5]
    facts = exceptions_facts(found, now=now)
    return tuple(facts[pk] for pk in sorted(facts))


def _evidence(leg: Leg, question: Question) -> tuple[EvidenceFacts, ...]:
    found = []
    for one in EvidenceUpload.objects.filter(change=leg.change, file__kind__in=["JUNIT", "SARIF"]).select_related("file").order_by("-pk"):
        counted = one.file.counted
        if one.file.kind == Kind.JUNIT:
            bad = counted["failures"] + counted["errors"]
            counts = counted["tests"] - bad - counted["skipped"], bad
        else:
            counts = 0, counted["error"]
        if set(one.identities) & set(question.identities):
            found.append(EvidenceFacts(one.name, one.file.kind, frozenset(one.identities), *counts))
    return tuple(found[:20])


def _leg(leg: Leg, question: Question, now: datetime) -> LegFacts:
    revision, change = leg.change.revision, leg.change
    bodies = {part: bytes(getattr(revision, part)) for part in PARTS}
    content = content_from_bytes(bodies)
    item = next((one for one in content.scope.items if one.service_id == leg.service.public_id), None)
    named = item if item and leg.environment.public_id in {place.id for place in item.environments} else None
    digests = {part: digest(body) for part, body in bodies.items()}
    slot = Slot.objects.filter(leg=leg).first()
    (quorum,) = [one for one in quorum_facts(change, leg.environment) if one.leg_id == leg.public_id]
    return LegFacts(
        pk=leg.pk,
        id=leg.public_id,
        change_id=change.public_id,
        ref=change.ref,
        change_state=change.state,
        state=leg.state,
        failures=leg.failures_count,
        revision=revision.number,
        revision_digest=revision.digest,
        is_intact=digests == revision.part_digests and revision.digest == revision_digest(revision.bound, part_digests=digests),
        identities=named.identities if named else (),
        label=named.label if named else "",
        period=content.period,
        rollback=content.rollback,
        slot=SlotFacts(slot.starts_at, slot.ends_at) if slot else None,
        quorum=quorum,
        kind=change.kind,
        evidence=_evidence(leg, question),
        exceptions=_exceptions(leg, now),
    )


def _calendar(scopes: list[int], now: datetime) -> tuple[CalendarFacts, ...]:
    found = []
    for rule in CalendarRule.objects.filter(scope__in=scopes, lifted_at__isnull=True, live_until__gt=now):
        stretches = [stretch for stretch in rule.covers if stretch.ends_at > now]
        covers = any(stretch.starts_at <= now for stretch in stretches)
        behind = rule.expanded_until is not None and rule.expanded_until <= now
        if covers or behind or rule.kind == "WINDOW":
            first = stretches[0] if stretches else None
            bounds = (first.starts_at, first.ends_at) if first else (None, None)
            found.append(CalendarFacts(rule.kind, rule.title, rule.time_zone, covers, *bounds, rule.expanded_until))
    return tuple(sorted(found, key=lambda one: (one.kind, one.starts_at or datetime.min.replace(tzinfo=now.tzinfo))))[:20]


def _went_bad_since(arrival: Arrival) -> bool:
    others = Arrival.objects.filter(target=arrival.target, identities=arrival.identities, outcome__in=["FAILED", "LEFT"])
    return any((other.at, other.pk) > (arrival.at, arrival.pk) for other in others)


def _rungs(question: Question, service, environment) -> tuple[RungFacts, ...]:
    if service is None or environment is None:
        return ()
    below = Target.objects.filter(
        service=service, retired_at__isnull=True, environment__retired_at__isnull=True, environment__rank__lt=environment.rank
    ).select_related("environment")
    nearest = max((target.environment.rank for target in below), default=None)
    return tuple(
        RungFacts(
            target.environment.name,
            tuple(
                frozenset(arrival.identities)
                for arrival in Arrival.objects.filter(target=target, outcome__in=["SUCCEEDED", "ADOPTED"]).order_by("-at")
                if set(arrival.identities) & set(question.identities) and not _went_bad_since(arrival)
            ),
        )
        for target in sorted(below, key=lambda one: one.environment.name)
        if target.environment.rank == nearest
    )
