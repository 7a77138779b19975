"""The way of a change through all its states, by the real actions."""

import pytest

from apps.changes.states import State
from tests.factories.approvals import make_change


@pytest.mark.parametrize("state", list(State))
def test_make_change_reaches_every_state(db, state):
    change = make_change(state)

    assert change.state == state
