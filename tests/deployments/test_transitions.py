"""Every state against every state: a move that the table has is made and told, any other is a mistake in the program."""

from itertools import product

import pytest

from apps.audit.stream import entries_about
from apps.core.actors import system
from apps.deployments.models import Deployment
from apps.deployments.states import FINAL, IN_FLIGHT, MOVES, State
from apps.deployments.transitions import EVENTS, IllegalMove, move
from tests.conftest import NOW
from tests.factories.deployments import DeploymentFactory

pytestmark = pytest.mark.django_db


def in_state(state: State) -> Deployment:
    more = {"turn": 1, "begun_at": NOW} if state in IN_FLIGHT else {}
    return DeploymentFactory(state=state, ended_at=NOW if state in FINAL else None, **more)


@pytest.mark.parametrize(("start", "goal"), [*product(State, State)])
def test_a_move_is_made_and_told_or_refused(start, goal):
    order = in_state(start)
    order.turn, order.begun_at = 1, NOW

    if goal not in MOVES[start]:
        with pytest.raises(IllegalMove):
            move(order, goal, by=system("test"), at=NOW)
        return
    move(order, goal, by=system("test"), at=NOW, reason="why " * 200)

    order.refresh_from_db()
    row = order.moves.get()
    (entry,) = entries_about(order.reference, limit=5)
    assert (order.state, order.is_final) == (goal, goal in FINAL)
    assert (row.seq, row.start, row.goal, len(row.reason)) == (1, start, goal, 400)
    assert entry.event is EVENTS[goal]
    assert {name.kind for name in entry.refs} >= {"target", "service", "environment", "deployment"}


def test_moves_are_numbered():
    order = in_state(State.QUEUED)
    order.turn, order.begun_at = 1, NOW
    move(order, State.RUNNING, by=system("test"), at=NOW)
    move(order, State.FAILED, by=system("test"), at=NOW)

    assert list(order.moves.order_by("seq").values_list("seq", "goal")) == [(1, "RUNNING"), (2, "FAILED")]
