"""What would change the answer: against every set of repairs there is, tried one after the other on the judge itself."""

from dataclasses import replace
from datetime import timedelta
from itertools import chain, combinations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.changes.content import Rollback
from apps.gate.rules import (
    Action,
    Answer,
    CalendarFacts,
    ClosedFacts,
    Facts,
    HoldFacts,
    ReservationFacts,
    RungFacts,
    SlotFacts,
    judge,
    way_to_yes,
)
from tests.conftest import NOW
from tests.factories.gate import ALLOWED, ARTIFACT, COMMIT, LEG, OTHER_ARTIFACT, TARGET, TOKEN, facts_with

HOUR = timedelta(hours=1)
WAIT = "wait"
# What stands in the way: of the place, and of one leg. Each ends by the repair of the same name, those of `PASSES` all by waiting.
PLACE = {"frozen", "endless", "window", "nowindow", "hold", "hold2", "locked", "occupied", "reserved", "rung", "behind", "behind2"}
LEGS = {"slot", "early", "started", "failed", "rollback", "unsigned", "differs"}
PASSES = {"frozen", "window", "occupied", "reserved", "slot", "early", "started"}
NEVER = {"differs"}
ONE_ACT = {"behind", "behind2"}


def wall(kind, title="Wall", *, covers=True, starts=None, ends=None, written=None):
    return CalendarFacts(kind, title, "UTC", covers, starts, ends, written)


def place_with(ills) -> Facts:
    calendar = {
        "frozen": wall("FREEZE", ends=NOW + 3 * HOUR),
        "endless": wall("FREEZE", "Endless"),
        "window": wall("WINDOW", covers=False, starts=NOW + 2 * HOUR, ends=NOW + 3 * HOUR),
        "nowindow": wall("WINDOW", "Past", covers=False),
        "behind": wall("FREEZE", "One", covers=False, written=NOW - HOUR),
        "behind2": wall("FREEZE", "Other", covers=False, written=NOW - HOUR),
    }
    target = replace(
        TARGET,
        locked_at=NOW - HOUR if "locked" in ills else None,
        occupied_since=NOW - HOUR if "occupied" in ills else None,
    )
    return replace(
        ALLOWED,
        target=target,
        calendar=tuple(one for name, one in calendar.items() if name in ills),
        holds=tuple(HoldFacts("PERSON", name, NOW - HOUR) for name in ("hold", "hold2") if name in ills),
        reservations=(ReservationFacts(UUID(int=90), NOW + HOUR),) if "reserved" in ills else (),
        rungs=(RungFacts("Staging", ()),) if "rung" in ills else (),
    )


def leg_with(ills, number):
    said = replace(
        LEG,
        pk=number,
        id=UUID(int=100 + number),
        ref=f"CHG-{number}",
        state="STARTED" if "started" in ills else "WAITING",
        failures=3 if "failed" in ills else 0,
        slot=SlotFacts(NOW + HOUR, NOW + 4 * HOUR) if "slot" in ills else None,
        period=replace(LEG.period, not_before=NOW + 2 * HOUR) if "early" in ills else LEG.period,
        rollback=Rollback(strategy=None) if "rollback" in ills else LEG.rollback,
        identities=(COMMIT, OTHER_ARTIFACT) if "differs" in ills else (COMMIT, ARTIFACT),
    )
    return replace(said, quorum=replace(LEG.quorum, sign_offs=())) if "unsigned" in ills else said


def facts_of(place, legs) -> Facts:
    return replace(place_with(place), legs=tuple(leg_with(ills, number) for number, ills in enumerate(legs, 1)))


def repaired(place, legs, repairs):
    """What is left when these repairs are done; waiting ends all that passes, wherever it stands."""
    gone = PASSES if WAIT in repairs else set()
    anew = {where for where, ill in (one for one in repairs if one != WAIT) if ill == "failed"}  # another change in its place
    gone_here = gone | {ill for where, ill in (one for one in repairs if one != WAIT) if where == "place"}
    if ("place", "behind") in repairs:
        gone_here |= ONE_ACT
    left = [
        set() if number in anew else set(ills) - gone - {ill for where, ill in (one for one in repairs if one != WAIT) if where == number}
        for number, ills in enumerate(legs)
    ]
    return set(place) - gone_here, left


def all_repairs(place, legs):
    """Everything somebody could do, waiting included; nothing makes another version out of the one that is asked about."""
    found = {("place", "behind" if ill in ONE_ACT else ill) for ill in place - PASSES}
    worth = [ills & {"failed", *NEVER} or ills for ills in legs]  # nothing else of it is worth an act where another change is asked for
    found |= {(number, ill) for number, ills in enumerate(worth) for ill in ills - PASSES - NEVER if not ills & NEVER}
    return [*sorted(found, key=str), *([WAIT] if (place | set().union(*worth)) & PASSES else [])]


def smallest(place, legs):
    """How few repairs make the judge say yes, by trying; None where none do."""
    there = all_repairs(place, legs)
    for few in chain.from_iterable(combinations(there, size) for size in range(len(there) + 1)):
        if judge(facts_of(*repaired(place, legs, set(few)))).verdict is Answer.ALLOW:
            return len(few)
    return None


ILLS = st.tuples(
    st.sets(st.sampled_from(sorted(PLACE)), max_size=4),
    st.lists(st.sets(st.sampled_from(sorted(LEGS)), max_size=3), min_size=1, max_size=3),
)


@given(ILLS)
def test_no_smaller_set_of_repairs_makes_it_a_yes_and_this_one_does(ills):
    place = ills[0] - {"nowindow"} if "window" in ills[0] else ills[0]  # one that opens is enough
    legs = [one - {"failed"} if "started" in one else one for one in ills[1]]  # what failed too often does not start
    found, least = way_to_yes(facts_of(place, legs)), smallest(place, legs)

    assert found.is_possible == (least is not None)
    if least is not None:
        assert len(found.steps) == least
        chosen = next(number for number, _ in enumerate(legs) if UUID(int=101 + number) == found.leg_id)
        mine = [set() if number != chosen else legs[number] for number in range(len(legs))]
        rest = set(all_repairs(place, mine))
        assert len(rest) == least
        assert judge(facts_of(*repaired(place, legs, rest))).verdict is Answer.ALLOW


def test_a_yes_needs_no_step():
    assert way_to_yes(ALLOWED).steps == ()


def test_what_ends_by_itself_is_one_wait_until_the_last_of_it_has_ended():
    way = way_to_yes(facts_of({"frozen", "reserved"}, [{"slot"}]))

    (step,) = way.steps
    assert (step.is_wait, step.until, step.codes) == (True, NOW + 3 * HOUR, ("before_slot", "frozen", "reserved"))
    assert (way.wait, way.acts) == (step, ())


def test_a_wait_for_a_deployment_has_no_moment():
    assert way_to_yes(facts_of({"frozen", "occupied"}, [set()])).wait.until is None


def test_a_freeze_without_an_end_is_lifted_by_somebody():
    (step,) = way_to_yes(facts_of({"endless"}, [set()])).steps

    assert (step.is_wait, step.who) == (False, "a release manager")


def test_of_two_changes_the_one_that_needs_less_is_told():
    way = way_to_yes(facts_of(set(), [{"unsigned", "rollback"}, {"unsigned"}]))

    assert (way.leg_id, [step.codes for step in way.steps]) == (UUID(int=102), [("sign_off_missing",)])


def test_what_begins_anew_asks_for_nothing_else_of_what_it_leaves():
    way = way_to_yes(facts_of({"locked", "frozen"}, [{"failed", "unsigned", "rollback", "slot"}]))

    assert [step.codes for step in way.steps] == [("failed_too_often",), ("locked",), ("frozen",)]
    assert way.is_whole is False


@pytest.mark.parametrize("mode", ["ENFORCED", "OFF"])
def test_a_period_that_ends_during_the_wait_has_to_be_revised(mode):
    facts = facts_of({"frozen"}, [set()])
    leg = replace(facts.legs[0], period=replace(LEG.period, not_after=NOW + 2 * HOUR))
    acts = way_to_yes(replace(facts, legs=(leg,), modes={"period": mode})).acts

    assert [(step.codes, step.who) for step in acts] == ([(("period_over",), "the requester")] if mode == "ENFORCED" else [])
    assert [step.findings[0].message for step in acts][:1] in (
        [],
        ["The period of CHG-1 ends Fri 20 Nov 2026, 16:20 UTC, before the wait does."],
    )


@pytest.mark.parametrize(
    ("ends", "mode", "is_whole"),
    [(4 * HOUR, "ENFORCED", True), (3 * HOUR, "ENFORCED", False), (HOUR, "ENFORCED", False), (HOUR, "OFF", True)],
    ids=["open then", "shut at that moment", "shut before", "not asked for"],
)
def test_a_window_that_may_be_shut_after_the_wait_is_said(ends, mode, is_whole):
    facts = facts_of({"frozen"}, [set()])
    calendar = (*facts.calendar, wall("WINDOW", "Daily", starts=NOW - HOUR, ends=NOW + ends))

    assert way_to_yes(replace(facts, calendar=calendar, modes={"window": mode})).is_whole is is_whole


def test_the_way_back_needs_no_window_after_the_wait():
    question = replace(ALLOWED.question, action=Action.ROLLBACK, identities=TARGET.previous)
    target = replace(TARGET, occupied_since=NOW - HOUR)
    facts = replace(place_with({"window"}), question=question, target=target)

    assert way_to_yes(facts).is_whole is True


def test_a_final_no_has_no_way():
    assert way_to_yes(facts_of(set(), [{"differs"}])).is_possible is False


@pytest.mark.parametrize(
    "facts",
    [
        facts_with(asker={"is_live": False}),
        facts_with(service=None),
        replace(ALLOWED, legs=()),
        replace(ALLOWED, legs=(), closed=(ClosedFacts("CHG-7", "DRAFT", "WAITING", (COMMIT, ARTIFACT)),)),
        facts_with(leg={"is_intact": False}),
        facts_with(leg={"identities": ()}),
        facts_with(leg={"state": "ROLLED_BACK"}),
    ],
    ids=["who asks", "where", "no change", "a draft", "another revision", "a place that is not named", "rolled back"],
)
def test_where_more_may_follow_the_way_says_so(facts):
    assert way_to_yes(facts).is_whole is False


def test_going_back_has_a_way_too():
    facts = replace(ALLOWED, asker=TOKEN, question=replace(ALLOWED.question, action=Action.ROLLBACK), target=replace(TARGET, previous=()))

    (step,) = way_to_yes(facts).steps
    assert step.codes == ("no_previous_release",)
