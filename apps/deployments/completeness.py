"""How much of what was deployed was declared: per month, and what runs that nobody declared."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncMonth

from apps.accounts.models import Person
from apps.catalog.access import services_for
from apps.deployments.models import Deployment, Settled, Undeclared

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Month:
    """What was declared and what was not, in one month."""

    starts_on: date
    declared: int
    undeclared: int

    @property
    def total(self) -> int:
        """Every deployment that began here, however it ended, and everything that nobody declared."""
        return self.declared + self.undeclared

    @property
    def percent(self) -> int:
        """The share that was declared, rounded down: 100 is all of it."""
        return self.declared * 100 // self.total if self.total else 100


def undeclared_for(person: Person) -> QuerySet[Undeclared]:
    """What ran undeclared of the services a person sees."""
    found = Undeclared.objects.filter(target__service__in=services_for(person))
    return found.select_related("target__service", "target__environment")


def months_for(person: Person, *, now: datetime) -> list[Month]:
    """The last twelve months of the services a person sees, the newest first. What was explained is none and is not counted."""
    first = _back(now, MONTHS - 1)
    begun = Deployment.objects.filter(target__service__in=services_for(person), begun_at__gte=first)
    seen = undeclared_for(person).filter(seen_at__gte=first).exclude(outcome=Settled.EXPLAINED)
    declared, undeclared = _counted(begun, "begun_at"), _counted(seen, "seen_at")
    found = [_back(now, back).date() for back in range(MONTHS)]
    return [Month(day, declared[day], undeclared[day]) for day in found if declared[day] or undeclared[day]]


def _counted(rows: QuerySet[Deployment] | QuerySet[Undeclared], field: str) -> Counter[date]:
    months = rows.order_by().annotate(month=TruncMonth(field, tzinfo=UTC)).values_list("month").annotate(count=Count("pk"))
    return Counter({month.date(): count for month, count in months})


def _back(now: datetime, months: int) -> datetime:
    number = now.year * 12 + now.month - 1 - months
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
