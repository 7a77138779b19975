"""What had nothing to look at is not told as passed: held against the judge, which must find nothing there whatever is so."""

from dataclasses import replace

import pytest

from apps.gate.rules import RULES, Action, HoldFacts, ReservationFacts, RungFacts, idle_rules, judge
from tests.conftest import NOW
from tests.factories.gate import ALLOWED, ARTIFACT, IDS, LEG, facts_with
from tests.gate.test_rules import LATER, freeze

NAMES = {rule.name for rule in RULES}
# Everything that a rule could find, at once.
WALLS = {
    "calendar": (freeze(), LATER),
    "holds": (HoldFacts("PERSON", "x", NOW),),
    "reservations": (ReservationFacts(IDS[30], NOW.replace(year=2027)),),
    "rungs": (RungFacts("Staging", ()),),
}
SPOILED = {"is_intact": False, "state": "STARTED", "quorum": replace(LEG.quorum, sign_offs=(), policy=None)}


def found_rules(**changes):
    return {finding.rule for finding in judge(facts_with(**changes)).findings}


@pytest.mark.parametrize("required", ["NO", "RECORDED", "APPROVED"])
@pytest.mark.parametrize("has_change", [True, False])
def test_idle_rules_find_nothing(required, has_change):
    idle = idle_rules(required=required, has_change=has_change, goes_back=False)
    leg = {"leg": SPOILED} if has_change else {"legs": ()}
    quorum = {} if not has_change else {"leg": {**SPOILED, "quorum": replace(SPOILED["quorum"], required=required)}}

    assert idle <= NAMES
    assert not found_rules(environment={"change_required": required}, **WALLS, **(leg | quorum)) & idle


def test_idle_rules_of_the_way_back_find_nothing():
    idle = idle_rules(required="APPROVED", has_change=False, goes_back=True)
    back = {"question": {"action": Action.ROLLBACK, "identities": (ARTIFACT,)}, "legs": ()}

    assert {"freeze", "hold", "approval"} <= idle <= NAMES
    assert not idle & {"version", "lock", "free"}
    assert not found_rules(**back, **WALLS) & idle


def test_everything_is_asked_where_a_change_must_be_approved():
    assert idle_rules(required="APPROVED", has_change=True, goes_back=False) == frozenset()
    assert set(judge(ALLOWED).passed) == NAMES
