"""Random walks over the tables: whatever happens in whatever order, the gate's flags and the numbering of moves hold."""

from dataclasses import replace

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.changes.facts import content_of, current_legs
from apps.changes.models import Change
from apps.changes.states import ENDED, LEG_MOVES, MOVES, LegState, State
from apps.changes.steps import add_revision
from apps.changes.transitions import move, move_leg
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from tests.changes.flags import assert_flags_are_true
from tests.conftest import NOW
from tests.factories.catalog import EnvironmentFactory, ServiceFactory, make_target
from tests.factories.changes import OTHER_COMMIT, make_change, make_content

pytestmark = pytest.mark.django_db
BY = system("walk")


class UndoneError(Exception):
    """Ends an example and rolls its savepoint back."""


def move_somewhere(change: Change, choice: int) -> None:
    goals = sorted(MOVES[State(change.state)])
    if goals:
        move(change, goals[choice % len(goals)], by=BY, at=NOW)


def move_some_leg(change: Change, choice: int) -> None:
    legs = [*current_legs(change)]
    if not legs:
        return
    leg = legs[choice % len(legs)]
    leg.change = change
    goals = sorted(LEG_MOVES[LegState(leg.state)])
    if goals:
        move_leg(leg, goals[choice % len(goals)], by=BY, at=NOW)


def edit(change: Change, choice: int) -> None:
    old = content_of(change.revision)
    (first, *rest) = old.scope.items or (None,)
    if choice % 4 == 0 and first:
        items = (replace(first, identities=(OTHER_COMMIT,)), *rest)
    elif choice % 4 == 1 and first:
        items = (replace(first, environments=first.environments[: choice % 2]), *rest)
    elif choice % 4 == 2 and first:
        items = (*rest,)
    else:
        items = tuple(make_content(targets=TARGETS[: 1 + choice % len(TARGETS)]).scope.items)
    try:
        with transaction.atomic():
            add_revision(change, content=replace(old, scope=replace(old.scope, items=items)), by=change.requester.actor, at=NOW)
    except (Refused, BadContent):
        change.refresh_from_db()


TARGETS: list = []
STEP = st.tuples(st.sampled_from([move_somewhere, move_some_leg, edit]), st.integers(0, 30))


@pytest.fixture
def draft(db):
    service = ServiceFactory()
    TARGETS[:] = [make_target(service, EnvironmentFactory()), make_target(service, EnvironmentFactory()), make_target()]
    return make_change(targets=tuple(TARGETS[:2]))


@given(st.lists(STEP, max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_flags_equal_the_derived_truth_after_any_walk(draft, steps):
    with pytest.raises(UndoneError), transaction.atomic():
        walk(Change.objects.get(pk=draft.pk), steps)


def walk(change, steps) -> None:
    for step, choice in steps:
        step(change, choice)
        assert_flags_are_true(change)
    stored = Change.objects.get(pk=change.pk)
    moves = [*change.moves.order_by("seq")]
    assert [row.seq for row in moves] == [*range(1, len(moves) + 1)]
    assert bool(stored.outcome) is (stored.state in ENDED)
    assert current_state_by_moves(moves) == stored.state
    raise UndoneError


def current_state_by_moves(moves) -> str:
    state = State.DRAFT.value
    for row in moves:
        if row.leg_id is None:
            assert row.start == state
            state = row.goal
    return state
