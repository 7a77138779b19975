"""What apps above do with the calendar inside their own transaction: holds of machines, and the reach of deployments."""

from datetime import datetime
from uuid import UUID

from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.models import Target
from apps.core.actors import Actor
from apps.core.references import Reference, reference
from apps.schedule.facts import scope_of
from apps.schedule.models import Hold, HoldSource, Reservation

LONGEST_REASON = 300


def place_hold_step(target: Target, *, source: HoldSource, source_ref: str, reason: str, by: Actor, at: datetime) -> Hold:
    """Stop a target now; told twice by the same source, it is the same hold.

    Locks the target instead of the calendar guard: whoever starts something locks it too, so no start slips by, and machinery
    that already holds a target's lock never waits for the guard behind it."""
    target, _ = Target.objects.lock(target.pk, at)
    scope = scope_of(target)
    # Locked: one that is being lifted at this moment stops nothing any more.
    same = Hold.objects.select_for_update().filter(scope=scope.number, source=source, source_ref=source_ref, lifted_at__isnull=True)
    standing = same.first()
    if standing is not None:
        return standing
    hold = Hold.objects.create(
        scope=scope.number, source=source, source_ref=source_ref, reason=reason[:LONGEST_REASON], placed_at=at, placed_by=actor_text(by)
    )
    record(
        Event.HOLD_PLACED,
        subject=hold,
        by=by,
        at=at,
        refs=[*_refs(target), *_source_reference(source_ref)],
        data={"source": source, "scope": scope.kind},
        details={"reason": reason, "scope": scope.name},
    )
    return hold


def reserve(target: Target, *, held_for: UUID, starts_at: datetime, until: datetime, by: Actor, at: datetime) -> Reservation:
    """Keep a target's time free from the start of a deployment to the end of its way back; asked again, the end moves."""
    found, is_new = Reservation.objects.get_or_create(
        held_for=held_for, defaults={"target": target, "service_id": target.service_id, "starts_at": starts_at, "reserved_until": until}
    )
    if not is_new:
        if found.reserved_until == until and found.released_at is None:
            return found
        found.reserved_until, found.released_at = until, None
        found.save(update_fields=["reserved_until", "released_at"])
    record(
        Event.RESERVATION_MADE,
        subject=reference("deployment", held_for),
        by=by,
        at=at,
        refs=_refs(target),
        data={"starts_at": found.starts_at, "until": until},
    )
    return found


def release_reservation(held_for: UUID, *, by: Actor, at: datetime) -> bool:
    """Give the time back; False when nothing was reserved any more."""
    found = (
        Reservation.objects.filter(held_for=held_for, released_at__isnull=True)
        .select_related("target__service", "target__environment")
        .first()
    )
    if found is None:
        return False
    found.released_at = at
    found.save(update_fields=["released_at"])
    record(Event.RESERVATION_RELEASED, subject=reference("deployment", held_for), by=by, at=at, refs=_refs(found.target))
    return True


def _refs(target: Target) -> list[Reference]:
    return [target.reference, target.service.reference, target.environment.reference]


def _source_reference(source_ref: str) -> list[Reference]:
    kind, colon, public_id = source_ref.partition(":")
    return [reference(kind, public_id)] if colon and public_id else []
