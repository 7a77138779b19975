"""The column of stretches, and what the database refuses by itself."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from apps.schedule.models import CalendarRule, Hold, HoldSource
from apps.schedule.stretches import Stretch
from tests.factories.schedule import CalendarRuleFactory, HoldFactory, ReservationFactory, SlotFactory

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def test_stretches_are_stored_merged_and_in_order(now):
    rule = CalendarRuleFactory(
        covers=[Stretch(now + 5 * HOUR, now + 6 * HOUR), Stretch(now + HOUR, now + 2 * HOUR), Stretch(now, now + HOUR)],
        live_until=now + 6 * HOUR,
    )

    rule.refresh_from_db()

    assert rule.covers == (Stretch(now, now + 2 * HOUR), Stretch(now + 5 * HOUR, now + 6 * HOUR))


def test_no_stretches_and_none_are_different():
    field = CalendarRule._meta.get_field("covers")

    assert field.get_prep_value(None) is None
    assert field.from_db_value(None, None, None) is None
    assert not field.get_prep_value(())


def test_the_database_asks_what_a_rule_covers_now(now):
    rule = CalendarRuleFactory(starts_at=now, ends_at=now + HOUR)

    with connection.cursor() as cursor:
        cursor.execute("select covers @> %s, covers @> %s from schedule_calendarrule where id = %s", [now, now + HOUR, rule.pk])
        assert cursor.fetchone() == (True, False)


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"covers": []}, "rule_lives_as_long_as_it_covers"),
        ({"live_until": "2026-11-20T00:00Z"}, "rule_lives_as_long_as_it_covers"),
        ({"lifted_at": "2026-11-20T00:00Z"}, "rule_lifted_at_and_by"),
        ({"lifted_by": "SYSTEM:test"}, "rule_lifted_at_and_by"),
    ],
)
def test_the_database_refuses_rules_that_contradict_themselves(columns, constraint):
    rule = CalendarRuleFactory()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        CalendarRule.objects.filter(pk=rule.pk).update(**columns)


def test_the_database_refuses_halves(now):
    for broken in (
        lambda: Hold.objects.filter(pk=HoldFactory().pk).update(lifted_at=now),
        lambda: SlotFactory(ends_at=now, starts_at=now),
        lambda: ReservationFactory(reserved_until=now, starts_at=now),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            broken()


def test_one_source_has_one_standing_hold_and_people_as_many_as_they_like(now):
    first = HoldFactory(source=HoldSource.INCIDENT, source_ref="incident:1")
    with pytest.raises(IntegrityError), transaction.atomic():
        HoldFactory(source=HoldSource.INCIDENT, source_ref="incident:1")

    Hold.objects.filter(pk=first.pk).update(lifted_at=now, lifted_by="SYSTEM:test")
    HoldFactory(source=HoldSource.INCIDENT, source_ref="incident:1")
    HoldFactory()
    HoldFactory()

    assert Hold.objects.filter(lifted_at__isnull=True).count() == 3
