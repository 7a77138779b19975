"""What still stands on the rungs below, from arrivals told newest first."""

import pytest

from apps.catalog.models import Outcome
from apps.gate.arrivals import STOOD, UNDONE, rungs_in
from apps.gate.rules import RungFacts

RUNGS = (("QA", 7), ("Staging", 8))
ONE, BOTH = ["git:1"], ["git:1", "sha256:2"]


def test_every_outcome_stands_or_undoes_but_that_of_the_version_that_came_back():
    assert STOOD | UNDONE | {Outcome.ROLLED_BACK} == {*Outcome.values}
    assert not STOOD & UNDONE


@pytest.mark.parametrize(
    ("told", "on_qa"),
    [
        ([], []),
        ([(7, "SUCCEEDED", ONE)], [ONE]),
        ([(7, "ADOPTED", ONE)], [ONE]),
        ([(7, "FAILED", ONE)], []),
        ([(7, "FAILED", ONE), (7, "SUCCEEDED", ONE)], []),
        ([(7, "LEFT", ONE), (7, "ADOPTED", ONE)], []),
        ([(7, "ROLLED_BACK", ONE)], []),
        ([(7, "ROLLED_BACK", ONE), (7, "SUCCEEDED", ONE)], [ONE]),
        ([(7, "SUCCEEDED", ONE), (7, "FAILED", ONE)], [ONE]),  # it went well after it had failed
        ([(7, "FAILED", BOTH), (7, "SUCCEEDED", ONE)], [ONE]),  # another version failed: it shares a commit alone
        ([(8, "FAILED", ONE), (7, "SUCCEEDED", ONE)], [ONE]),  # it failed elsewhere
        ([(7, "SUCCEEDED", BOTH), (7, "LEFT", ONE), (7, "SUCCEEDED", ONE)], [BOTH]),
    ],
)
def test_an_arrival_stands_until_the_same_version_went_bad_there(told, on_qa):
    qa, staging = rungs_in(told, RUNGS)

    assert qa == RungFacts("QA", tuple(map(frozenset, on_qa)))
    assert staging == RungFacts("Staging", ())
