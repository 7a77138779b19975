"""Walls against starts: nothing begins while a wall is being moved, and no wall is moved while something begins."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from apps.accounts.roles import Role
from apps.catalog.models import Target
from apps.core.actors import system
from apps.core.ids import new_id
from apps.core.locks import share_calendar_guard, take_calendar_guard
from apps.core.refusals import Refused
from apps.schedule.actions import declare_freeze, lift_freeze, place_hold
from apps.schedule.models import CalendarRule, Hold, HoldSource
from apps.schedule.steps import place_hold_step
from tests.factories.accounts import make_person
from tests.factories.catalog import make_target
from tests.factories.schedule import make_freeze

BY, HOUR = system("race"), timedelta(hours=1)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return cursor.fetchone()[0]


def freeze_everything(person, now):
    return declare_freeze(title="Peak", starts_at=now, ends_at=now + 1000 * HOUR, time_zone="UTC", by=person.actor)


def freezes_seen_at_a_start() -> int:
    """What a start does: share the guard, then look, in a statement of its own."""
    with transaction.atomic():
        share_calendar_guard()
        return CalendarRule.objects.count()


def test_a_freeze_waits_until_what_begins_has_begun(own_database, racer, wait_until_blocked, now):
    manager = make_person(Role.RELEASE_MANAGER)

    with transaction.atomic():
        share_calendar_guard()
        freeze = racer(lambda: freeze_everything(manager, now))
        wait_until_blocked(backend())
        assert not CalendarRule.objects.exists()

    assert freeze.result().title == "Peak"
    assert CalendarRule.objects.count() == 1


def test_a_start_waits_for_a_freeze_and_then_sees_it(own_database, racer, wait_until_blocked, now):
    with transaction.atomic():
        take_calendar_guard()
        start = racer(freezes_seen_at_a_start)
        wait_until_blocked(backend())
        make_freeze()

    assert start.result() == 1


def test_starts_do_not_wait_for_each_other(own_database, racer):
    with transaction.atomic():
        share_calendar_guard()

        assert racer(freezes_seen_at_a_start).result() == 0


def test_a_hold_waits_for_the_guard_too(own_database, racer, wait_until_blocked):
    operator = make_person(Role.OPERATOR)

    with transaction.atomic():
        share_calendar_guard()
        hold = racer(lambda: place_hold(scope_kind="EVERYTHING", scope_id=None, reason="Look.", by=operator.actor))
        wait_until_blocked(backend())
        assert not Hold.objects.exists()

    assert hold.result().reason == "Look."


def test_two_lifts_have_one_winner(own_database, racer, wait_until_blocked, now):
    manager = make_person(Role.RELEASE_MANAGER)
    rule = make_freeze(starts_at=now, ends_at=now + 10_000 * HOUR)

    with transaction.atomic():
        take_calendar_guard()
        lifts = [racer(lambda: lift_freeze(rule_id=rule.pk, by=manager.actor)) for _ in range(2)]
        wait_until_blocked(backend())

    ends = []
    for lift in lifts:
        try:
            lift.result()
            ends.append("lifted")
        except Refused as error:
            ends.append(error.refusal.code)
    assert sorted(ends) == ["already_lifted", "lifted"]


def test_a_machines_hold_waits_for_the_targets_lock_which_every_start_takes(own_database, racer, wait_until_blocked, now):
    target = make_target()
    told = {"source": HoldSource.ROLLBACK, "source_ref": f"deployment:{new_id()}", "reason": "Checks failed.", "by": BY, "at": now}

    def hold():
        with transaction.atomic():
            return place_hold_step(target, **told)

    with transaction.atomic():
        share_calendar_guard()
        Target.objects.lock(target.pk)
        holds = [racer(hold) for _ in range(2)]
        wait_until_blocked(backend())
        assert not Hold.objects.exists()

    assert len({each.result().pk for each in holds}) == Hold.objects.count() == 1


@pytest.mark.parametrize("first", ["guard", "target"])
def test_a_start_and_a_machines_hold_cannot_lock_each_other_out(own_database, racer, now, first):
    target = make_target()

    def start():
        with transaction.atomic():
            share_calendar_guard()
            Target.objects.lock(target.pk)

    def hold():
        with transaction.atomic():
            Target.objects.lock(target.pk)
            place_hold_step(target, source=HoldSource.CHECK, source_ref="deployment:1", reason="500.", by=BY, at=now)

    order = [start, hold] if first == "guard" else [hold, start]
    for each in [racer(work) for work in order * 4]:
        each.result()

    assert Hold.objects.count() == 1


def test_a_machines_hold_does_not_lean_on_one_that_is_being_lifted(own_database, racer, wait_until_blocked, now):
    target = make_target()
    told = {"source": HoldSource.ROLLBACK, "source_ref": f"deployment:{new_id()}", "reason": "Checks failed.", "by": BY, "at": now}

    def hold():
        with transaction.atomic():
            return place_hold_step(target, **told)

    standing = hold()
    with transaction.atomic():
        Hold.objects.filter(pk=standing.pk).update(lifted_at=now, lifted_by="SYSTEM:race")
        late = racer(hold)
        wait_until_blocked(backend())

    assert late.result() != standing
    assert Hold.objects.filter(lifted_at__isnull=True).count() == 1
