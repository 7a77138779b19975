"""Every pair of states, from the tables: what may move, what is written with it, and that the gate's flags tell the truth."""

from itertools import product

import pytest

from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.changes.models import Leg, LegIdentity
from apps.changes.states import ENDED, LEG_MOVES, LEG_OPEN, MOVES, OPEN, LegState, State
from apps.changes.transitions import EVENTS, LEG_EVENTS, move, move_leg
from apps.core.actors import system
from apps.core.refusals import Refused
from tests.changes.flags import assert_flags_are_true, put_in
from tests.factories.changes import make_change

pytestmark = pytest.mark.django_db
BY = system("test")


@pytest.mark.parametrize(("start", "goal"), [*product(State, State)])
def test_move_follows_the_table(start, goal, now):
    change = put_in(make_change(), start)

    if goal not in MOVES[start]:
        with pytest.raises(Refused, match="cannot become") as refused:
            move(change, goal, by=BY, at=now)
        assert refused.value.refusal.code == "no_such_move"
        assert not change.moves.exists()
        return
    move(change, goal, by=BY, at=now, reason="because")

    change.refresh_from_db()
    (moved,) = change.moves.all()
    told = entries_about(change.reference, limit=1)[0]
    assert (moved.seq, moved.start, moved.goal, moved.at, moved.by, moved.reason) == (1, start, goal, now, "SYSTEM:test", "because")
    assert change.state == goal
    assert bool(change.outcome) is (goal in ENDED)
    assert (told.event, told.data["start"], told.data["goal"]) == (expected_event(start, goal), start, goal)
    assert told.details["reason"] == "because"
    assert_flags_are_true(change)


def expected_event(start: State, goal: State) -> Event:
    if goal is State.IN_REVIEW:
        return Event.CHANGE_SUBMITTED if start is State.DRAFT else Event.CHANGE_REOPENED
    return EVENTS[goal]


@pytest.mark.parametrize(("start", "goal"), [*product(LegState, LegState)])
def test_move_leg_follows_the_table(start, goal, now):
    change = put_in(make_change(), State.IN_PROGRESS)
    leg = change.legs.get()
    Leg.objects.filter(pk=leg.pk).update(state=start, is_open=start in LEG_OPEN)
    leg = Leg.objects.get(pk=leg.pk)

    if goal not in LEG_MOVES[start]:
        with pytest.raises(Refused, match="cannot become"):
            move_leg(leg, goal, by=BY, at=now)
        return
    move_leg(leg, goal, by=BY, at=now)

    leg.refresh_from_db()
    moved = change.moves.get()
    told = entries_about(leg.reference, limit=1)[0]
    assert (moved.leg, moved.start, moved.goal) == (leg, start, goal)
    assert (leg.state, leg.is_open) == (goal, goal in LEG_OPEN)
    assert leg.failures_count == (goal is LegState.FAILED)
    assert leg.rolled_back_revision == (goal is LegState.ROLLED_BACK)
    assert told.event is LEG_EVENTS[goal]
    assert {reference.kind for reference in told.refs} >= {"leg", "change", "service", "environment", "target"}


def test_moves_of_a_change_and_its_legs_share_one_numbering(now):
    change = put_in(make_change(), State.APPROVED)
    leg = change.legs.get()

    move_leg(leg, LegState.STARTED, by=BY, at=now)
    move(leg.change, State.IN_PROGRESS, by=BY, at=now)
    move_leg(leg, LegState.DONE, by=BY, at=now, reason="x" * 400)

    assert [(row.seq, row.goal, len(row.reason)) for row in change.moves.order_by("seq")] == [
        (1, "STARTED", 0),
        (2, "IN_PROGRESS", 0),
        (3, "DONE", 300),
    ]


def test_first_submission_keeps_its_moment(now):
    change = make_change()

    move(change, State.IN_REVIEW, by=BY, at=now)
    move(change, State.DRAFT, by=BY, at=now, reason="say more")
    move(change, State.IN_REVIEW, by=BY, at=now.replace(hour=20))

    assert change.submitted_at == now


@pytest.mark.parametrize("state", State)
def test_identities_are_open_exactly_while_the_gate_may_say_yes(state):
    change = put_in(make_change(), state)

    assert Leg.objects.filter(change=change, is_open=True).exists() is (state in OPEN)
    assert LegIdentity.objects.filter(leg__change=change, is_open=True).exists() is (state in OPEN)
