"""Exceptions in time: requests nobody decided on, reviews that fall due, chains of them; rows put in by hand owe nothing."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.approvals.actions import lapse_exception, refuse_exception, review_exception, withdraw_exception
from apps.approvals.beat import lapse_exceptions, tell_due_reviews
from apps.approvals.facts import excepted_leg
from apps.approvals.models import LegException
from apps.approvals.rules import ExceptionState
from apps.core.refusals import Refused
from tests.approvals.test_exceptions import CLOCK, DAY, MINUTE, SAID, change, code, state, world
from tests.approvals.world import events, make_world
from tests.conftest import NOW
from tests.factories.exceptions import LegExceptionFactory, agreed, asked, leg_of, make_emergency, plea
from tests.factories.proving import agree_exception, ask_exception

HOUR = timedelta(hours=1)
__all__ = ["change", "world"]


def test_request_nobody_decided_on_ends_by_the_clock_once(world, change):
    one, other = asked(change, world.requester), asked(change, world.requester, "EMERGENCY", now=NOW + MINUTE)

    assert lapse_exception(exception_id=one.pk, by=CLOCK, now=NOW + DAY - MINUTE) is False
    assert [lapse_exception(exception_id=one.pk, by=CLOCK, now=NOW + DAY) for _ in range(2)] == [True, False]
    assert lapse_exception(exception_id=other.pk, by=CLOCK, now=NOW + DAY) is False

    assert state(one, now=NOW + DAY) is ExceptionState.LAPSED
    assert "exception.lapsed" in events(change)
    for verb, more in ((agree_exception, {}), (refuse_exception, {"reason": "No."})):
        assert code(verb, exception_id=one.pk, by=world.manager.actor, now=NOW + DAY, **more) == "exception_over"
    assert code(withdraw_exception, exception_id=one.pk, by=world.requester.actor, now=NOW + DAY) == "exception_over"
    assert asked(change, world.requester, now=NOW + DAY).is_waiting


def test_decided_ones_are_not_ended_by_the_clock(world, change):
    one = agreed(change, world.requester, world.manager)

    assert lapse_exception(exception_id=one.pk, by=CLOCK, now=NOW + 2 * DAY) is False


def test_beat_ends_what_is_old_and_reminds_a_day_before(world):
    now = timezone.now()
    change = make_emergency(world.target, world.requester, now=now - 3 * DAY)
    asked(change, world.requester, "FREEZE", now=now - DAY - MINUTE)
    asked(change, world.requester, "GATE", now=now - DAY + 10 * MINUTE)
    agreed(change, world.requester, world.manager, "EMERGENCY", now=now - 2 * DAY - MINUTE)

    assert [lapse_exceptions(), lapse_exceptions()] == [1, 0]
    assert [tell_due_reviews(), tell_due_reviews()] == [1, 0]
    assert "exception.reminded" in events(change)


def test_decision_and_end_by_the_clock_are_one_or_the_other(world, change):
    one = asked(change, world.requester)
    lapse_exception(exception_id=one.pk, by=CLOCK, now=NOW + DAY)

    for more in (
        {"refused_at": NOW, "refused_by": world.manager},
        {"withdrawn_at": NOW, "withdrawn_by": world.manager},
        {"lapsed_at": NOW},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            LegException.objects.filter(pk=one.pk).update(**more)


# Chains


def test_fourth_for_a_place_within_a_day_waits_for_a_review_of_one_of_them(world, change):
    first, *_ = [agreed(change, world.requester, world.manager, now=NOW + hours * HOUR) for hours in range(3)]
    now = NOW + 4 * HOUR
    assert [one.ref for one in excepted_leg(leg_of(change), now=now).given] == [
        first.ref,
        "EXC-" + str(first.pk + 1),
        "EXC-" + str(first.pk + 2),
    ]

    with pytest.raises(Refused) as raised:
        asked(change, world.requester, now=now)
    assert raised.value.refusal.code == "chain"
    assert first.ref in str(raised.value)
    review_exception(exception_id=first.pk, by=world.requester.actor, now=now, **SAID)
    fourth = asked(change, world.requester, now=now)
    agree_exception(exception_id=fourth.pk, by=world.manager.actor, now=now)

    assert code(ask_exception, leg_id=leg_of(change).pk, plea=plea(), by=world.requester.actor, now=now) == "chain"
    assert asked(change, world.requester, now=NOW + DAY + 3 * HOUR).is_waiting


def test_chain_is_of_a_place_and_counts_every_change_for_it(world, change):
    for _ in range(3):
        agreed(make_emergency(world.target, world.requester), world.requester, world.manager)

    assert code(ask_exception, leg_id=leg_of(change).pk, plea=plea(), by=world.requester.actor, now=NOW) == "chain"
    elsewhere = make_world()
    assert asked(elsewhere.change(), elsewhere.requester).is_waiting


# Rows put in by hand


def test_rows_put_in_by_hand_are_no_debt_and_no_chain(world, change):
    for at in (NOW - 5 * DAY, NOW, NOW, NOW):
        LegExceptionFactory(
            leg=leg_of(change),
            revision=change.revision,
            agreed_at=at,
            ends_at=at + HOUR,
            review_due_at=at + 3 * DAY,
            team=world.target.service.team,
        )

    assert excepted_leg(leg_of(change), now=NOW).debts == ()
    assert agreed(change, world.requester, world.manager).agreed_at == NOW
