"""What is known of the days ahead: who is away, who cannot prove enough yet, and when the agreement is needed.

For pages; the gate never asks."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.accounts.means import proving_in, proving_rows
from apps.approvals.models import Absence
from apps.approvals.rules import QuorumFacts, Strength, suffices
from apps.core.together import read_together
from apps.schedule.models import Slot


def look_ahead(legs: Iterable[QuorumFacts], *, now: datetime, starts: Mapping[UUID, datetime] | None = None) -> tuple[QuorumFacts, ...]:
    """The legs with who is away now and with the planned start, where one is planned. A statement for each; STARTS may be given."""
    found = [*legs]
    absences, proofs = absence_rows(found, now=now), proving_rows(_asked_to_prove(found))
    read_together(absences, *proofs)
    away, proving = absent(absences), proving_in(*proofs)
    if starts is None:
        starts = dict(Slot.objects.filter(leg__public_id__in=[leg.leg_id for leg in found]).values_list("leg__public_id", "starts_at"))
    return tuple(replace(leg, away=away, unproved=_unproved(leg, proving), before=starts.get(leg.leg_id, leg.before)) for leg in found)


def _asked_to_prove(legs: Iterable[QuorumFacts]) -> set[UUID]:
    """Of whom it has to be known what they can prove themselves with."""
    return {one.canonical_id for leg in legs if leg.policy and leg.policy.strength is not Strength.ANY for one in leg.people}


def _unproved(leg: QuorumFacts, proving: Mapping[UUID, str]) -> frozenset[UUID]:
    asked = leg.policy.strength if leg.policy else Strength.ANY
    if asked is Strength.ANY:
        return frozenset()
    return frozenset(one.canonical_id for one in leg.people if not suffices(proving.get(one.canonical_id, ""), asked=asked))


def absence_rows(legs: Iterable[QuorumFacts], *, now: datetime) -> QuerySet[Absence]:
    """The absences of the people of these legs that hold now."""
    people = {person.canonical_id for leg in legs for person in leg.people}
    theirs = Q(person__public_id__in=people) | Q(person__merged_into__public_id__in=people)
    standing = Absence.objects.filter(theirs, cancelled_at__isnull=True, starts_at__lte=now, ends_at__gt=now)
    return standing.select_related("person__merged_into")


def absent(absences: Iterable[Absence]) -> Mapping[UUID, datetime]:
    """Who is away, and until when, by the id of the person they stand as."""
    away: dict[UUID, datetime] = {}
    for absence in absences:
        who = (absence.person.merged_into or absence.person).public_id
        away[who] = max(absence.ends_at, away.get(who, absence.ends_at))
    return away
