"""Two at once on one change: one goes first, the other decides on what the first left behind."""

import pytest
from django.db import connection, transaction

from apps.changes.actions import withdraw_change
from apps.changes.facts import content_of, current_legs
from apps.changes.models import Change
from apps.changes.states import LegState, State
from apps.changes.steps import add_revision, leg_done, leg_started, submit
from apps.core.actors import system
from apps.core.refusals import Refused
from tests.changes.flags import assert_flags_are_true, put_in
from tests.factories.changes import make_change

BY = system("race")


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return cursor.fetchone()[0]


def test_a_withdrawal_waits_for_a_start_and_is_then_refused(own_database, racer, wait_until_blocked, now):
    change = put_in(make_change(), State.APPROVED)

    with transaction.atomic():
        leg_started(current_legs(change).get(), by=BY, at=now)
        withdrawal = racer(lambda: withdraw_change(change_id=change.pk, by=change.requester.actor))
        wait_until_blocked(backend())

    with pytest.raises(Refused) as refused:
        withdrawal.result()
    assert refused.value.refusal.code == "already_started"
    assert Change.objects.get(pk=change.pk).state == State.IN_PROGRESS


def test_a_start_waits_for_a_withdrawal_and_is_then_refused(own_database, racer, wait_until_blocked, now):
    change = put_in(make_change(), State.APPROVED)
    leg = current_legs(change).get()

    def start():
        with transaction.atomic():
            leg_started(leg, by=BY, at=now)

    with transaction.atomic():
        locked, _ = Change.objects.lock(change.pk)
        started = racer(start)
        wait_until_blocked(backend())
        put_in(locked, State.WITHDRAWN)

    with pytest.raises(Refused) as refused:
        started.result()
    assert refused.value.refusal.code == "change_not_open"
    assert current_legs(change).get().state == LegState.WAITING
    assert_flags_are_true(change)


def test_two_starts_of_one_leg_have_one_winner(own_database, racer, wait_until_blocked, now):
    change = put_in(make_change(), State.APPROVED)
    leg = current_legs(change).get()

    def start():
        with transaction.atomic():
            leg_started(leg, by=BY, at=now)

    with transaction.atomic():
        leg_started(current_legs(change).get(), by=BY, at=now)
        second = racer(start)
        wait_until_blocked(backend())

    with pytest.raises(Refused) as refused:
        second.result()
    assert refused.value.refusal.code == "leg_in_flight"
    assert change.moves.filter(goal=LegState.STARTED).count() == 1


def test_two_edits_are_two_revisions_in_a_row(own_database, racer, wait_until_blocked, now):
    change = make_change()
    content = content_of(change.revision)

    def edit(text):
        with transaction.atomic():
            locked, _ = Change.objects.lock(change.pk)
            story = type(content.story)(content.story.title, description=text)
            return add_revision(locked, content=type(content)(*parts, story), by=change.requester.actor, at=now).number

    parts = (content.scope, content.plan, content.rollback, content.period)
    with transaction.atomic():
        Change.objects.lock(change.pk)
        racers = [racer(lambda text=text: edit(text)) for text in ("first", "second")]
        wait_until_blocked(backend())

    assert sorted(each.result() for each in racers) == [2, 3]
    assert Change.objects.get(pk=change.pk).revision.number == 3


def test_moves_made_at_once_are_numbered_without_gap(own_database, racer, wait_until_blocked, now):
    change = make_change()

    def done():
        with transaction.atomic():
            leg = current_legs(change).get()
            leg_started(leg, by=BY, at=now)
            leg_done(leg, by=BY, at=now)

    with transaction.atomic():
        locked, _ = Change.objects.lock(change.pk)
        submit(locked, by=BY, at=now)
        deployed = racer(done)
        wait_until_blocked(backend())

    deployed.result()
    assert [(row.seq, row.goal) for row in change.moves.order_by("seq")] == [
        (1, "IN_REVIEW"),
        (2, "STARTED"),
        (3, "DONE"),
        (4, "POST_REVIEW"),
    ]
