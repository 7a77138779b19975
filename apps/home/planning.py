"""The planned start of the request form and the slots behind it: the last rung of every service is planned."""

from datetime import datetime, timedelta, tzinfo

from apps.changes.facts import current_legs
from apps.changes.models import Change, Leg
from apps.core.actors import Actor
from apps.core.refusals import BadContent, Refused
from apps.home.facts.planning import walls_said
from apps.schedule.actions import book_slot, release_slot
from apps.schedule.facts import slots_of


def last_legs(change: Change) -> list[Leg]:
    """Of every service the leg on the highest rung."""
    found: dict[int, Leg] = {}
    for leg in current_legs(change):
        if leg.can_start:
            found[leg.service_id] = leg  # in the order of the ladder, so the highest is what stays
    return [*found.values()]


def planned_start(change: Change) -> datetime | None:
    """When the first of them is planned."""
    slots = slots_of(change)
    return min((slots[leg.public_id].starts_at for leg in last_legs(change) if leg.public_id in slots), default=None)


def walls_ahead(change: Change, *, zone: tzinfo) -> list[str]:
    """What closes the times that are planned, in sentences."""
    slots = slots_of(change)
    kept = [(leg, slots[leg.public_id]) for leg in last_legs(change) if leg.public_id in slots]
    return [said for leg, slot in kept for said in walls_said(leg.target, starts_at=slot.starts_at, ends_at=slot.ends_at, zone=zone)]


def plan_start(change: Change, start: datetime | None, *, reach: timedelta, zone: str, by: Actor) -> str:
    """Plan, move or take back; the sentence that says why not, empty where it was done or nothing differs."""
    if start == planned_start(change):
        return ""
    try:
        for leg in last_legs(change):
            if start is None:
                release_slot(leg_id=leg.pk, by=by)
            else:
                book_slot(leg_id=leg.pk, starts_at=start, ends_at=start + reach, by=by, time_zone=zone)
    except BadContent as error:
        return " ".join(said for sentences in error.errors.values() for said in sentences)
    except Refused as error:
        return str(error.refusal)
    return ""
