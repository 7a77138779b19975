"""Walls, slots and reservations for tests: bare rows, and the verbs where their rules matter."""

from datetime import datetime, timedelta

import factory
from factory.django import DjangoModelFactory

from apps.catalog.models import Target
from apps.schedule.facts import everything, scope_of
from apps.schedule.models import CalendarRule, Hold, HoldSource, Reservation, RuleKind, Slot
from apps.schedule.stretches import Stretch
from tests.conftest import NOW
from tests.factories.catalog import TargetFactory
from tests.factories.changes import LegFactory

HOUR = timedelta(hours=1)


class CalendarRuleFactory(DjangoModelFactory):
    """A freeze of everything for the hour around NOW."""

    class Meta:
        model = CalendarRule

    class Params:
        starts_at = NOW - HOUR / 2
        ends_at = NOW + HOUR / 2

    kind = RuleKind.FREEZE
    title = factory.Sequence(lambda n: f"Freeze {n}")
    scope = factory.LazyFunction(lambda: everything().number)
    covers = factory.LazyAttribute(lambda made: (Stretch(made.starts_at, made.ends_at),))
    live_until = factory.SelfAttribute("ends_at")
    time_zone = "UTC"
    declared_at = NOW
    declared_by = "SYSTEM:test"


class HoldFactory(DjangoModelFactory):
    class Meta:
        model = Hold

    scope = factory.LazyFunction(lambda: everything().number)
    source = HoldSource.PERSON
    reason = "We look into something."
    placed_at = NOW
    placed_by = "SYSTEM:test"


class SlotFactory(DjangoModelFactory):
    class Meta:
        model = Slot

    leg = factory.SubFactory(LegFactory)
    starts_at = NOW + HOUR
    ends_at = NOW + 2 * HOUR
    booked_at = NOW
    booked_by = "SYSTEM:test"


class ReservationFactory(DjangoModelFactory):
    class Meta:
        model = Reservation

    target = factory.SubFactory(TargetFactory)
    service = factory.SelfAttribute("target.service")
    held_for = factory.Faker("uuid4", cast_to=None)
    starts_at = NOW
    reserved_until = NOW + HOUR


def make_freeze(target: Target | None = None, *, starts_at: datetime = NOW - HOUR / 2, ends_at: datetime = NOW + HOUR / 2) -> CalendarRule:
    """A freeze of everything, or of one target's service."""
    scope = scope_of(target.service) if target else everything()
    return CalendarRuleFactory(scope=scope.number, starts_at=starts_at, ends_at=ends_at)
