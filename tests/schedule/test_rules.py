"""Who may move walls and slots: every role, every state, pure."""

from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest

from apps.accounts.roles import Role
from apps.changes.states import EDITABLE, LegState, State
from apps.core.refusals import Kind
from apps.schedule.rules import (
    LONGEST_WALL,
    Mover,
    SlotFacts,
    WallFacts,
    why_not_declare,
    why_not_lift,
    why_not_move_slot,
    why_not_place_hold,
    why_not_slot,
    why_not_wall,
)
from apps.schedule.stretches import Stretch

ME, OTHER = UUID(int=1), UUID(int=2)
HOUR = timedelta(hours=1)


def somebody(*roles: Role) -> Mover:
    return Mover(OTHER, frozenset(roles))


def slot(change=State.APPROVED, leg=LegState.WAITING, *, is_current=True, not_before=None, not_after=None) -> SlotFacts:
    return SlotFacts("CHG-7", "Checkout web in Production", change, leg, is_current, ME, not_before, not_after)


VERBS = {
    "declare a freeze": (lambda by, now: why_not_declare("freeze", by=by), {Role.RELEASE_MANAGER}),
    "lift a freeze": (
        lambda by, now: why_not_lift(WallFacts("freeze", "Peak", None, is_lifted=False), by=by, now=now),
        {Role.RELEASE_MANAGER},
    ),
    "place a hold": (lambda by, now: why_not_place_hold(by=by), {Role.OPERATOR, Role.RELEASE_MANAGER}),
    "lift a hold": (
        lambda by, now: why_not_lift(WallFacts("hold", "look", None, is_lifted=False), by=by, now=now),
        {Role.OPERATOR, Role.RELEASE_MANAGER},
    ),
    "book a slot": (lambda by, now: why_not_move_slot(slot(), by=by), {Role.RELEASE_MANAGER}),
}


@pytest.mark.parametrize(("verb", "role"), [*product(VERBS, [None, *Role])])
def test_a_verb_is_for_its_roles(verb, role, now):
    rule, allowed = VERBS[verb]

    refusal = rule(somebody(*[role] if role else []), now)

    assert (refusal is None) is (role in allowed)
    assert refusal is None or refusal.kind is Kind.NOT_ALLOWED


@pytest.mark.parametrize("word", ["freeze", "window", "hold"])
def test_what_is_lifted_or_over_is_not_lifted(word, now):
    by = somebody(Role.RELEASE_MANAGER)

    lifted = why_not_lift(WallFacts(word, "Peak", now + HOUR, is_lifted=True), by=by, now=now)
    over = why_not_lift(WallFacts(word, "Peak", now, is_lifted=False), by=by, now=now)

    assert (lifted.code, over.code) == ("already_lifted", "is_over")
    assert why_not_lift(WallFacts(word, "Peak", now + HOUR, is_lifted=False), by=by, now=now) is None


@pytest.mark.parametrize(("change", "leg"), [*product(State, LegState)])
def test_a_slot_moves_while_the_leg_is_to_be_done(change, leg):
    refusal = why_not_move_slot(slot(change, leg), by=Mover(ME, frozenset()))

    assert (refusal is None) is (change in EDITABLE and leg in {LegState.WAITING, LegState.FAILED, LegState.ROLLED_BACK})
    assert refusal is None or refusal.kind is Kind.NOT_NOW


def test_a_leg_that_was_edited_away_has_no_slot():
    assert why_not_move_slot(slot(is_current=False), by=Mover(ME, frozenset())).code == "leg_not_open"


@pytest.mark.parametrize(
    ("begin", "end", "field"),
    [(0, 1, None), (1, 4, None), (-1, 1, None), (3, 5, "ends_at"), (-2, -1, "ends_at"), (-3, 2, "starts_at")],
)
def test_a_slot_lies_ahead_and_inside_the_period(begin, end, field, now):
    facts = slot(not_before=now - 2 * HOUR, not_after=now + 4 * HOUR)

    errors = why_not_slot(Stretch(now + begin * HOUR, now + end * HOUR), facts=facts, now=now)

    assert [*errors] == ([field] if field else [])


def test_a_period_that_is_open_bounds_nothing(now):
    assert why_not_slot(Stretch(now, now + 1000 * HOUR), facts=slot(), now=now) == {}


@pytest.mark.parametrize(
    ("begin", "end", "fine"),
    [(-HOUR, HOUR, True), (HOUR, 2 * HOUR, True), (-2 * HOUR, -HOUR, False), (HOUR, HOUR + LONGEST_WALL + HOUR, False)],
)
def test_a_wall_is_not_over_and_not_for_ever(begin, end, fine, now):
    assert (why_not_wall(Stretch(now + begin, now + end), now=now) == {}) is fine
