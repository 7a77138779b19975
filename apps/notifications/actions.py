"""The durable verbs: what people choose, what the clock gathers and forgets, and trying again what failed."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Q

from apps.accounts.access import has_role
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.accounts.steps import person_by_actor
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from apps.core.verbs import verb
from apps.core.zones import zone_named
from apps.notifications.kinds import TOPICS, Kind, Timing
from apps.notifications.models import Choice, Delivery, Digest, Schedule
from apps.notifications.rules import next_digest, why_not_choices, why_not_hour, why_not_retry
from apps.notifications.states import State
from apps.notifications.tasks import wake_after_commit
from apps.notifications.transitions import move


@verb
def choose_notifications(
    *, chosen: Mapping[str, str], digest_hour: int, by: Actor, only_in_hours: bool = False, now: datetime | None = None
) -> Schedule:
    """Choose when to be told of which kind, and when the digest comes. What waits for a digest waits for the new hour."""
    person = person_by_actor(by)
    errors = why_not_choices(chosen)
    if said := why_not_hour(digest_hour):
        errors["digest_hour"] = [said]
    if errors:
        raise BadContent(errors)
    person, now = Person.objects.lock(person.pk, now)
    for kind, timing in sorted(chosen.items()):
        if timing == TOPICS[Kind(kind)].usual:
            Choice.objects.filter(person=person, kind=kind).delete()
        else:
            Choice.objects.update_or_create(person=person, kind=kind, defaults={"timing": timing})
    schedule, _ = Schedule.objects.update_or_create(person=person, defaults={"digest_hour": digest_hour, "only_in_hours": only_in_hours})
    zone = zone_named(person.time_zone) or ZoneInfo("UTC")
    waiting = Delivery.objects.filter(person=person, state=State.QUEUED, timing=Timing.DIGEST, digest__isnull=True)
    waiting.update(wake_at=next_digest(now, hour=digest_hour, zone=zone))
    record(Event.NOTIFICATIONS_CHOSEN, subject=person, by=by, at=now, data={"chosen": dict(chosen), "digest_hour": digest_hour})
    return schedule


@verb
def gather_digest(person_id: int, now: datetime | None = None) -> Digest | None:
    """Put what waited for a person's hour into one mail; None where another worker does it, or nothing waits."""
    waiting = Delivery.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        person=person_id, state=State.QUEUED, timing=Timing.DIGEST, digest__isnull=True
    )
    now = now or database_now()
    rows = [*waiting.filter(wake_at__lte=now).order_by("pk")]
    if not rows:
        return None
    digest = Digest.objects.create(person_id=person_id, queued_at=now, wake_at=now)
    Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(digest=digest)
    return digest


@verb
def retry_delivery(delivery_id: int, *, by: Actor, now: datetime | None = None) -> Delivery:
    """Try again what was given up; whether it still holds is asked when it is sent. Of a digest, the whole digest."""
    asker = person_by_actor(by)
    delivery, now = Delivery.objects.lock(delivery_id, now)
    if refusal := why_not_retry(delivery.state, is_administrator=has_role(asker, Role.ADMINISTRATOR)):
        raise Refused(refusal, about=delivery.reference)
    rows = [delivery]
    if delivery.digest_id is not None:
        digest, now = Digest.objects.lock(delivery.digest_id, now)
        move(digest, State.QUEUED, at=now)
        rows = [*Delivery.objects.select_for_update(of=("self",)).filter(digest=digest, state=State.FAILED).order_by("pk")]
    for row in rows:
        move(row, State.QUEUED, at=now)
    record(Event.NOTIFICATION_RETRIED, subject=delivery, by=by, at=now, refs=[delivery.person.reference], data={"kind": delivery.kind})
    wake_after_commit()
    return delivery


@verb
def forget_notifications(*, before: datetime) -> int:
    """Remove what ended before a moment; returns how many rows that were. What happened is in the stream."""
    over = Q(ended_at__lt=before)
    gone, _ = Delivery.objects.filter(over).delete()
    more, _ = Digest.objects.filter(over, deliveries__isnull=True).delete()
    return gone + more
