"""The tables themselves: whole, and without a way back from an end."""

import pytest

from apps.changes.states import (
    EDITABLE,
    ENDED,
    LEG_MOVES,
    LEG_OPEN,
    LEG_OWNERS,
    LEG_UNTOUCHED,
    MOVES,
    OPEN,
    OWNERS,
    LegState,
    Owner,
    State,
    values,
)


def test_every_state_has_moves_and_an_owner():
    assert MOVES.keys() == OWNERS.keys() == set(State)
    assert LEG_MOVES.keys() == LEG_OWNERS.keys() == set(LegState)


def test_nobody_owns_exactly_what_cannot_move():
    assert {state for state, owner in OWNERS.items() if owner is Owner.NOBODY} == {state for state, goals in MOVES.items() if not goals}


def test_open_and_ended_states_are_told_apart():
    assert not OPEN & ENDED
    assert set(State) - OPEN - ENDED == {State.DRAFT}
    assert OPEN | {State.DRAFT} == EDITABLE
    assert {LegState.WAITING} == LEG_OPEN & LEG_UNTOUCHED


@pytest.mark.parametrize("state", sorted(ENDED))
def test_an_ended_change_never_opens_again(state):
    assert not MOVES[state] & (OPEN | {State.DRAFT})


def test_values_are_plain_texts_in_order():
    assert values(OPEN) == ["APPROVED", "IN_PROGRESS", "IN_REVIEW"]
    assert {type(value) for value in values(OPEN)} == {str}
