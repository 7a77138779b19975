"""What is known of the days ahead: who is away, and when the agreement is needed. For pages; the gate never asks."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from apps.approvals.models import Absence
from apps.approvals.rules import QuorumFacts
from apps.schedule.models import Slot


def look_ahead(legs: Iterable[QuorumFacts], *, now: datetime, starts: Mapping[UUID, datetime] | None = None) -> tuple[QuorumFacts, ...]:
    """The legs with who is away now and with the planned start, where one is planned. A statement for each; STARTS may be given."""
    found = [*legs]
    away = absent(found, now=now)
    if starts is None:
        starts = dict(Slot.objects.filter(leg__public_id__in=[leg.leg_id for leg in found]).values_list("leg__public_id", "starts_at"))
    return tuple(replace(leg, away=away, before=starts.get(leg.leg_id, leg.before)) for leg in found)


def absent(legs: Iterable[QuorumFacts], *, now: datetime) -> Mapping[UUID, datetime]:
    """Who of the people of these legs is away now, and until when, by the id of the person they stand as."""
    people = {person.canonical_id for leg in legs for person in leg.people}
    theirs = Q(person__public_id__in=people) | Q(person__merged_into__public_id__in=people)
    standing = Absence.objects.filter(theirs, cancelled_at__isnull=True, starts_at__lte=now, ends_at__gt=now)
    away: dict[UUID, datetime] = {}
    for absence in standing.select_related("person__merged_into"):
        who = (absence.person.merged_into or absence.person).public_id
        away[who] = max(absence.ends_at, away.get(who, absence.ends_at))
    return away
