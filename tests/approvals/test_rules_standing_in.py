"""Signing in another's place: whose seat it fills, who is kept out, and what a delegation covers."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.approvals.rules import (
    Mandate,
    Stretch,
    forecast,
    open_seats,
    quorum,
    seats_for,
    why_not_approve,
    why_not_counted,
    why_not_end_delegation,
    why_not_enter_absence,
    why_not_give_delegation,
)
from apps.core.actors import Actor, ActorKind
from tests.approvals.material import ANY_OWNER, AT, BUSINESS, TECHNICAL, leg, person, policy, review, rule, sign_off

REQUESTER, EDITOR = person(1, owner="BUSINESS"), person(2, owner="BUSINESS")
OWNER, OTHER, TECH = person(3, owner="BUSINESS"), person(4, owner="BUSINESS"), person(6, owner="TECHNICAL")
HELPER, SECOND = person(8), person(9)
HOUR = timedelta(hours=1)


def mandate(holder, helper):
    return Mandate(UUID(int=holder.id.int * 100 + helper.id.int), holder.canonical_id, helper.canonical_id)


def stretch(**more):
    return Stretch(**({"person_id": OWNER.id, "delegate_id": HELPER.id, "starts_at": AT, "ends_at": AT + HOUR} | more))


def in_place(helper, holder, *groups, **more):
    return sign_off(helper, *groups, stands_for=holder, **more)


def test_a_stand_in_fills_the_seat_of_whom_they_stand_in_for():
    (answer,) = quorum(leg(in_place(HELPER, OWNER))).rules

    assert (answer.missing, [one.id for one in answer.by], answer.stand_ins) == (0, [HELPER.id], {HELPER.id: OWNER})


@pytest.mark.parametrize(
    ("code", "helper", "holder", "more"),
    [
        ("mandate", HELPER, OWNER, {"is_mandated": False}),
        ("inactive", replace(HELPER, is_active=False), OWNER, {}),
        ("inactive", HELPER, replace(OWNER, is_active=False), {}),
        ("group", HELPER, SECOND, {}),
        ("excluded", REQUESTER, OWNER, {}),
        ("excluded", EDITOR, OWNER, {}),
        ("excluded", HELPER, REQUESTER, {}),
        ("excluded", HELPER, EDITOR, {}),
    ],
)
def test_a_stand_in_does_not_count(code, helper, holder, more):
    assert why_not_counted(in_place(helper, holder, **more), rule=rule(), facts=leg()) == code


def test_solo_is_for_oneself_alone():
    solo = policy(exclude=("last_editor",), solo=True)

    assert why_not_counted(sign_off(REQUESTER), rule=rule(), facts=leg(under=solo)) is None
    assert why_not_counted(in_place(REQUESTER, OWNER), rule=rule(), facts=leg(under=solo)) == "excluded"
    assert why_not_counted(in_place(HELPER, REQUESTER), rule=rule(), facts=leg(under=solo)) == "excluded"


def test_somebody_and_whoever_stands_in_for_them_fill_one_seat():
    two = policy(rule(needed=2))

    assert not quorum(leg(sign_off(OWNER), in_place(HELPER, OWNER), under=two)).met
    assert not quorum(leg(in_place(HELPER, OWNER), in_place(SECOND, OWNER), under=two)).met
    assert quorum(leg(sign_off(OWNER), in_place(HELPER, OTHER), under=two)).met


def test_a_person_has_one_voice_the_one_used_last():
    rules = policy(rule("one", BUSINESS, meaning="REVIEW"), rule("two", TECHNICAL))
    first = in_place(HELPER, OWNER, BUSINESS, meaning="REVIEW", id=UUID(int=1))
    later = in_place(HELPER, TECH, TECHNICAL, id=UUID(int=2), given_at=AT + HOUR)

    answers = {answer.rule.key: answer.missing for answer in quorum(leg(first, later, under=rules)).rules}

    assert answers == {"one": 1, "two": 0}


@pytest.mark.parametrize("needed", [0, 1])
def test_everyone_is_met_by_whoever_stands_in(needed):
    everyone = policy(rule(needed=needed))

    assert quorum(leg(in_place(HELPER, OWNER), under=everyone, people=(OWNER, HELPER))).met


PEOPLE = (OWNER, OTHER, TECH, HELPER, SECOND)


@st.composite
def spoken(draw):
    """Sign-offs by some people, each in their own right or in the place of another, at different times."""
    found = []
    for number in range(draw(st.integers(0, 6))):
        signer, holder = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from([None, OWNER, OTHER, TECH]))
        holder = None if holder == signer else holder
        found.append(
            sign_off(signer, BUSINESS, TECHNICAL, ANY_OWNER, stands_for=holder, id=UUID(int=number + 1), given_at=AT + number * HOUR)
        )
    rules = [rule(f"rule-{at}", draw(st.sampled_from([BUSINESS, TECHNICAL, ANY_OWNER])), needed=draw(st.integers(1, 2))) for at in range(2)]
    return leg(*found, under=policy(*rules), people=PEOPLE)


@given(spoken())
def test_quorum_is_met_exactly_when_distinct_people_with_distinct_voices_can_sit_down(facts):
    newest: dict[UUID, object] = {}
    for one in sorted(facts.sign_offs, key=lambda one: one.given_at):
        if any(why_not_counted(one, rule=of, facts=facts) is None for of in facts.policy.rules):
            newest[one.person.id] = (one.stands_for or one.person).id
    heard = [one for one in facts.sign_offs if newest.get(one.person.id) == (one.stands_for or one.person).id]
    seats = [of for of in facts.policy.rules for _ in range(of.needed)]
    met = any(
        len({one.person.id for one in order}) == len({(one.stands_for or one.person).id for one in order}) == len(seats)
        and all(why_not_counted(one, rule=of, facts=facts) is None for one, of in zip(order, seats, strict=True))
        for order in permutations(heard, len(seats))
    )

    assert quorum(facts).met is met


def test_own_seats_come_before_those_of_others():
    facts = review(leg(people=(OWNER, OTHER), mandates=(mandate(OTHER, OWNER),)))

    assert [seat.stands_for for seat in seats_for(facts, by=OWNER.id)] == [None, OTHER]
    assert {seat.voice for seat in open_seats(facts, by=OWNER.id)} == {None}


def test_a_seat_of_another_is_taken_where_ones_own_does_not_wait():
    rules = policy(rule("business", BUSINESS), rule("technical", TECHNICAL))
    signed = sign_off(OTHER, BUSINESS)
    facts = review(leg(signed, under=rules, people=(OWNER, OTHER, TECH), mandates=(mandate(TECH, OWNER),)))

    (seat,) = open_seats(facts, by=OWNER.id)

    assert (seat.rule.key, seat.stands_for, seat.mandate) == ("technical", TECH, mandate(TECH, OWNER).id)


def test_whoever_has_signed_goes_on_with_the_same_voice():
    rules = policy(rule("business", BUSINESS, meaning="REVIEW"), rule("technical", TECHNICAL))
    signed = sign_off(OWNER, BUSINESS, meaning="REVIEW")
    facts = review(leg(signed, under=rules, people=(OWNER, TECH), mandates=(mandate(TECH, OWNER),)))

    assert {seat.voice for seat in open_seats(facts, by=OWNER.id)} == {None}
    assert open_seats(facts, by=OWNER.id, meaning="APPROVAL") == ()


@pytest.mark.parametrize("holder", [REQUESTER, replace(OWNER, is_active=False), HELPER])
def test_nobody_signs_in_the_place_of_who_could_not(holder):
    facts = review(leg(people=(holder, SECOND), mandates=(mandate(holder, SECOND), mandate(OWNER, HELPER))))
    by = Actor(ActorKind.PERSON, str(SECOND.id), "session")

    assert seats_for(facts, by=SECOND.id) == ()
    assert why_not_approve(facts, revision_digest="e" * 64, by=by).code == "not_asked"


def test_a_mandate_is_not_passed_on():
    facts = review(leg(people=(OWNER, HELPER, SECOND), mandates=(mandate(OWNER, HELPER), mandate(HELPER, SECOND))))

    assert seats_for(facts, by=SECOND.id) == ()
    assert seats_for(facts, by=HELPER.id) != ()


@pytest.mark.parametrize(
    ("covers", "asked"),
    [
        (True, {}),
        (True, {"at": AT}),
        (False, {"at": AT - timedelta(seconds=1)}),
        (False, {"at": AT + HOUR}),
        (False, {"delegate_id": SECOND.id}),
    ],
)
def test_stretch_covers_its_time_and_its_person(covers, asked):
    given = {"delegate_id": HELPER.id, "at": AT + HOUR / 2, "service_id": 7, "kind": "NORMAL"} | asked

    assert stretch().covers(**given) is covers


def test_stretch_covers_its_scope_until_it_is_ended():
    some = stretch(service_ids=frozenset({7}), kinds=frozenset({"NORMAL"}), ended_at=AT + HOUR / 2)
    given = {"delegate_id": HELPER.id, "at": AT, "service_id": 7, "kind": "NORMAL"}

    assert some.covers(**given)
    assert not some.covers(**given | {"service_id": 8})
    assert not some.covers(**given | {"kind": "EMERGENCY"})
    assert not some.covers(**given | {"at": AT + HOUR / 2})


@pytest.mark.parametrize(
    ("meets", "more"),
    [
        (True, {}),
        (False, {"starts_at": AT + HOUR, "ends_at": AT + 2 * HOUR}),
        (True, {"service_ids": frozenset({7, 8})}),
        (False, {"service_ids": frozenset({8})}),
        (False, {"kinds": frozenset({"EMERGENCY"})}),
    ],
)
def test_stretch_meets_another_where_one_sign_off_would_be_covered_by_both(meets, more):
    one = stretch(service_ids=frozenset({7}), kinds=frozenset({"NORMAL"}))

    assert one.meets(stretch(**more)) is meets
    assert stretch(**more).meets(one) is meets


@pytest.mark.parametrize(
    ("code", "who", "other", "standing"),
    [
        (None, OWNER, HELPER, ()),
        ("not_present", replace(OWNER, is_active=False), HELPER, ()),
        ("person_inactive", OWNER, replace(HELPER, is_active=False), ()),
        ("oneself", OWNER, replace(OTHER, canonical_id=OWNER.id), ()),
        ("already_delegated", OWNER, SECOND, (stretch(),)),
    ],
)
def test_why_not_give_delegation(code, who, other, standing):
    refusal = why_not_give_delegation(who, delegate=other, wanted=stretch(), standing=standing)

    assert (refusal and refusal.code) == code


@pytest.mark.parametrize(
    ("code", "asker", "ended_at"),
    [
        (None, OWNER, None),
        (None, HELPER, None),
        (None, person(5, role="ADMINISTRATOR"), None),
        ("not_yours", SECOND, None),
        ("already_ended", OWNER, AT),
    ],
)
def test_why_not_end_delegation(code, asker, ended_at):
    refusal = why_not_end_delegation(asker, stretch=stretch(ended_at=ended_at))

    assert (refusal and refusal.code) == code


@pytest.mark.parametrize(
    ("code", "asker", "of"),
    [
        (None, OWNER, OWNER),
        (None, person(5, role="ADMINISTRATOR"), OWNER),
        ("not_yours", OTHER, OWNER),
        ("person_inactive", OWNER, replace(OTHER, is_active=False)),
    ],
)
def test_why_not_enter_absence(code, asker, of):
    refusal = why_not_enter_absence(asker, of=of)

    assert (refusal and refusal.code) == code


def foreseen(*, needed=2, **more):
    facts = leg(under=policy(rule(needed=needed)), people=(OWNER, OTHER, HELPER), before=AT + HOUR, **more)
    return forecast(facts)


def test_forecast_without_anybody_away_is_met():
    assert foreseen(away={OWNER.id: AT + HOUR / 2}).can_be_met


def test_forecast_names_who_is_away_and_who_could_stand_in():
    seen = foreseen(away={OWNER.id: AT + HOUR, OTHER.id: AT + HOUR})

    assert not seen.can_be_met
    (cure,) = seen.cures
    assert cure == (
        "“Owner” needs 2 and nobody can sign before 19 Nov 14:20 UTC: 2 of 2 are away (Person 3 or Person 4). Person 8 could stand in. "
        "Person 3 or Person 4 can ask somebody to stand in, or the slot moves."
    )


def test_forecast_counts_whoever_stands_in_once():
    away = {OWNER.id: AT + HOUR, OTHER.id: AT + HOUR}
    both = (mandate(OWNER, HELPER), mandate(OTHER, HELPER))

    assert foreseen(away={OWNER.id: AT + HOUR}, mandates=both[:1]).can_be_met
    assert not foreseen(away=away, mandates=both).can_be_met
    assert foreseen(needed=1, away=away, mandates=both).rules[0].stand_ins == {HELPER.id: OTHER}


def test_forecast_for_everyone_asks_whoever_stands_in():
    away = {OWNER.id: AT + HOUR}

    assert foreseen(needed=0, away=away, mandates=(mandate(OWNER, HELPER),)).can_be_met
    assert not foreseen(needed=0, away=away).can_be_met
