"""Writing down who is to be told, in the caller's transaction."""

from datetime import datetime
from zoneinfo import ZoneInfo

from apps.accounts.hours import next_working
from apps.accounts.models import Person
from apps.audit.entries import StreamEntry
from apps.core.zones import zone_named
from apps.notifications.facts.telling import Notice, Told, audience
from apps.notifications.facts.wishes import Wishes, wishes_of
from apps.notifications.kinds import TOPICS, Kind, Timing
from apps.notifications.models import Delivery
from apps.notifications.rules import next_digest
from apps.notifications.states import State

NOT_WANTED = "You chose never to be told of this."


def queue_notice(entry: StreamEntry, notice: Notice, *, at: datetime) -> bool:
    """One row for each person who is told; True where somebody is told at once. Twice the same entry adds nothing."""
    heard = audience(entry, notice)
    wishes = wishes_of([person for person, _ in heard])
    rows = [_row(entry, notice, person=person, told=told, wishes=wishes[person.pk], at=at) for person, told in heard]
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    return any(row.state == State.QUEUED and row.timing == Timing.NOW and row.wake_at <= at for row in rows)


def _row(entry: StreamEntry, notice: Notice, *, person: Person, told: Told, wishes: Wishes, at: datetime) -> Delivery:
    timing, subject = wishes.timing(told.kind), notice.subject.reference
    is_wanted = timing is not Timing.NEVER
    return Delivery(
        person=person,
        entry_id=entry.id,
        event=str(entry.event),
        kind=told.kind,
        relation=told.relation,
        timing=timing,
        subject=str(subject),
        thread=str(entry.ref("change") or subject),
        told_at=entry.at,
        queued_at=at,
        wake_at=wake_at(person, told.kind, timing, wishes=wishes, at=at),
        state=State.QUEUED if is_wanted else State.SUPPRESSED,
        said="" if is_wanted else NOT_WANTED,
        ended_at=None if is_wanted else at,
    )


def wake_at(person: Person, kind: Kind, timing: Timing, *, wishes: Wishes, at: datetime) -> datetime:
    """When to send: at once, at the person's hour, or when they begin to work."""
    zone = zone_named(person.time_zone) or ZoneInfo("UTC")
    if timing is Timing.DIGEST:
        return next_digest(at, hour=wishes.digest_hour, zone=zone)
    if timing is Timing.NOW and wishes.hours is not None and TOPICS[kind].waits_for_hours:
        return next_working(wishes.hours, at)
    return at
