"""The verbs that move walls and slots. Walls take the calendar guard: nothing begins while one is being moved."""

from datetime import datetime
from uuid import UUID

from apps.accounts.steps import person_by_actor
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.changes.models import Change, Leg
from apps.core.actors import Actor
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import BadContent, Refused
from apps.core.texts import read_line, read_text
from apps.core.verbs import verb
from apps.schedule.access import find_scope
from apps.schedule.facts import Scope, last_window, mover_of, scopes_named, slot_facts, wall_facts, window_before
from apps.schedule.models import CalendarRule, Hold, HoldSource, RuleKind, Slot
from apps.schedule.rules import (
    FOR_GOOD,
    read_stretch,
    why_not_declare,
    why_not_lift,
    why_not_move_slot,
    why_not_place_hold,
    why_not_slot,
    why_not_wall,
)

LONGEST_TITLE, LONGEST_REASON = 120, 300


@verb
def declare_freeze(
    *,
    title: str,
    starts_at: datetime,
    ends_at: datetime,
    time_zone: str,
    by: Actor,
    scope_kind: str = "EVERYTHING",
    scope_id: UUID | str | int | None = None,
    reason: str = "",
    now: datetime | None = None,
) -> CalendarRule:
    """Forbid deploying for a stretch of time; moments without a zone are read as the clock in TIME_ZONE."""
    take_calendar_guard()
    words = _read_words(title, reason)
    return _declare(RuleKind.FREEZE, words, (scope_kind, scope_id), starts_at, ends_at, time_zone=time_zone, by=by, now=now)


@verb
def declare_window(
    *,
    title: str,
    starts_at: datetime,
    ends_at: datetime,
    time_zone: str,
    by: Actor,
    scope_kind: str = "EVERYTHING",
    scope_id: UUID | str | int | None = None,
    reason: str = "",
    now: datetime | None = None,
) -> CalendarRule:
    """Allow deploying for a stretch of time: where there are windows, it is allowed inside them alone, and after the last one not at all."""
    take_calendar_guard()
    words = _read_words(title, reason)
    return _declare(RuleKind.WINDOW, words, (scope_kind, scope_id), starts_at, ends_at, time_zone=time_zone, by=by, now=now)


@verb
def lift_freeze(*, rule_id: int, by: Actor, reason: str = "", now: datetime | None = None) -> CalendarRule:
    """End a freeze before its time."""
    return _lift_rule(rule_id, RuleKind.FREEZE, Event.FREEZE_LIFTED, by=by, reason=reason, now=now)


@verb
def lift_window(*, rule_id: int, by: Actor, reason: str = "", now: datetime | None = None) -> CalendarRule:
    """Take a window back; the one before it shuts again. Lifted after its end, it shuts no more: every time is allowed."""
    return _lift_rule(rule_id, RuleKind.WINDOW, Event.WINDOW_LIFTED, by=by, reason=reason, now=now)


@verb
def place_hold(*, scope_kind: str, scope_id: UUID | str | int | None, reason: str, by: Actor, now: datetime | None = None) -> Hold:
    """Stop what the scope covers now, until somebody lifts it."""
    take_calendar_guard()
    now = now or database_now()
    person = person_by_actor(by)
    scope = find_scope(person, scope_kind, scope_id)
    if refusal := why_not_place_hold(by=mover_of(person, scope.within)):
        raise Refused(refusal, about=scope.reference)
    said = read_text(reason, field="reason", longest=LONGEST_REASON, empty=False)
    hold = Hold.objects.create(scope=scope.number, source=HoldSource.PERSON, reason=said, placed_at=now, placed_by=actor_text(by))
    record(
        Event.HOLD_PLACED,
        subject=hold,
        by=by,
        at=now,
        refs=[scope.reference] if scope.reference else [],
        data={"source": hold.source, "scope": scope.kind},
        details={"reason": said, "scope": scope.name},
    )
    return hold


@verb
def lift_hold(*, hold_id: int, by: Actor, reason: str, now: datetime | None = None) -> Hold:
    """Lift a hold, a machine's too, saying why it is safe."""
    take_calendar_guard()
    hold, now = Hold.objects.lock(hold_id, now)
    scope = scopes_named([hold.scope])[hold.scope]
    if refusal := why_not_lift(wall_facts(hold), by=mover_of(person_by_actor(by), scope.within), now=now):
        raise Refused(refusal, about=hold.reference)
    hold.lift_reason = read_text(reason, field="reason", longest=LONGEST_REASON, empty=False)
    hold.lifted_at, hold.lifted_by = now, actor_text(by)
    hold.save(update_fields=["lift_reason", "lifted_at", "lifted_by"])
    record(
        Event.HOLD_LIFTED,
        subject=hold,
        by=by,
        at=now,
        refs=[scope.reference] if scope.reference else [],
        data={"source": hold.source, "scope": scope.kind},
        details={"reason": hold.lift_reason, "scope": scope.name},
    )
    return hold


@verb
def book_slot(
    *, leg_id: int, starts_at: datetime, ends_at: datetime, by: Actor, time_zone: str = "UTC", now: datetime | None = None
) -> Slot:
    """Plan a leg inside its period, or move that plan; no sign-off lapses."""
    change, leg, now = _lock_leg(leg_id, by, now)
    facts = slot_facts(change, leg)
    stretch = read_stretch(starts_at, ends_at, time_zone=time_zone)
    if errors := why_not_slot(stretch, facts=facts, now=now):
        raise BadContent(errors)
    slot = Slot.objects.filter(leg=leg).first()
    event = Event.SLOT_MOVED if slot else Event.SLOT_BOOKED
    if slot and (slot.starts_at, slot.ends_at) == (stretch.starts_at, stretch.ends_at):
        return slot
    slot = slot or Slot(leg=leg)
    slot.starts_at, slot.ends_at, slot.booked_at, slot.booked_by = stretch.starts_at, stretch.ends_at, now, actor_text(by)
    slot.save()
    _record_slot(event, change, leg, by=by, at=now, data={"starts_at": slot.starts_at, "ends_at": slot.ends_at})
    return slot


@verb
def release_slot(*, leg_id: int, by: Actor, now: datetime | None = None) -> None:
    """Take a plan back: the leg may start at any allowed time of its period."""
    change, leg, now = _lock_leg(leg_id, by, now)
    removed, _ = Slot.objects.filter(leg=leg).delete()
    if removed:
        _record_slot(Event.SLOT_RELEASED, change, leg, by=by, at=now, data={})


def _read_words(title: str, reason: str) -> dict[str, str]:
    return {
        "title": read_line(title, field="title", longest=LONGEST_TITLE),
        "reason": read_text(reason, field="reason", longest=LONGEST_REASON),
    }


def _declare(
    kind: RuleKind,
    words: dict[str, str],
    wanted: tuple[str, UUID | str | int | None],
    starts_at: datetime,
    ends_at: datetime,
    *,
    time_zone: str,
    by: Actor,
    now: datetime | None,
) -> CalendarRule:
    """Write a rule behind the guard."""
    now = now or database_now()
    person = person_by_actor(by)
    scope = find_scope(person, *wanted)
    if refusal := why_not_declare(kind.label.lower(), by=mover_of(person, scope.within)):
        raise Refused(refusal, about=scope.reference)
    stretch = read_stretch(starts_at, ends_at, time_zone=time_zone)
    if errors := why_not_wall(stretch, now=now):
        raise BadContent(errors)
    if kind is RuleKind.WINDOW and (last := last_window(scope.number)):
        last.live_until = last.covers[-1].ends_at
        last.save(update_fields=["live_until"])
    rule = CalendarRule.objects.create(
        kind=kind,
        scope=scope.number,
        covers=[stretch],
        time_zone=time_zone,
        live_until=stretch.ends_at if kind is RuleKind.FREEZE else FOR_GOOD,
        declared_at=now,
        declared_by=actor_text(by),
        **words,
    )
    event = Event.FREEZE_DECLARED if kind is RuleKind.FREEZE else Event.WINDOW_DECLARED
    _record_rule(event, rule, scope, by=by, at=now, details=words)
    return rule


def _lift_rule(rule_id: int, kind: RuleKind, event: Event, *, by: Actor, reason: str, now: datetime | None) -> CalendarRule:
    take_calendar_guard()
    rule, now = CalendarRule.objects.filter(kind=kind).lock(rule_id, now)
    scope = scopes_named([rule.scope])[rule.scope]
    if refusal := why_not_lift(wall_facts(rule), by=mover_of(person_by_actor(by), scope.within), now=now):
        raise Refused(refusal, about=rule.reference)
    said = read_text(reason, field="reason", longest=LONGEST_REASON)
    was_last, rule.live_until = rule.live_until == FOR_GOOD, rule.covers[-1].ends_at
    rule.lifted_at, rule.lifted_by = now, actor_text(by)
    rule.save(update_fields=["live_until", "lifted_at", "lifted_by"])
    if was_last and rule.live_until > now and (before := window_before(rule)):
        before.live_until = FOR_GOOD
        before.save(update_fields=["live_until"])
    _record_rule(event, rule, scope, by=by, at=now, details={"title": rule.title, "reason": said})
    return rule


def _record_rule(event: Event, rule: CalendarRule, scope: Scope, *, by: Actor, at: datetime, details: dict[str, str]) -> None:
    record(
        event,
        subject=rule,
        by=by,
        at=at,
        refs=[scope.reference] if scope.reference else [],
        data={"scope": scope.kind, "starts_at": rule.covers[0].starts_at, "ends_at": rule.covers[-1].ends_at, "time_zone": rule.time_zone},
        details={**details, "scope": scope.name},
    )


def _lock_leg(leg_id: int, by: Actor, now: datetime | None) -> tuple[Change, Leg, datetime]:
    """Lock the change that guards a leg, and ask whether its slot may move."""
    leg = Leg.objects.select_related("service__team", "environment", "target").get(pk=leg_id)
    change, now = Change.objects.lock(leg.change_id, now)
    leg.refresh_from_db(fields=["state", "is_current"])
    if refusal := why_not_move_slot(slot_facts(change, leg), by=mover_of(person_by_actor(by), leg.service)):
        raise Refused(refusal, about=change.reference)
    return change, leg, now


def _record_slot(event: Event, change: Change, leg: Leg, *, by: Actor, at: datetime, data: dict[str, datetime]) -> None:
    refs = [change.reference, leg.service.reference, leg.environment.reference, leg.target.reference]
    record(event, subject=leg, by=by, at=at, refs=refs, data=data, details={"title": change.title})
