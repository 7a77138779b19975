"""Which sign-offs stand, which count, and who fills which seat."""

from dataclasses import replace
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.approvals.rules import Group, all_met, editor_of, forecast, match_seats, quorum, stands, why_not_counted
from apps.approvals.rules.counting import REMEMBERED, _answers
from tests.approvals.material import (
    ANY_OWNER,
    BUSINESS,
    DIGESTS,
    RELEASE,
    SERVICE,
    SIGNED,
    TARGET,
    TEAM_GROUP,
    TECHNICAL,
    leg,
    person,
    policy,
    rule,
    sign_off,
)

REQUESTER, EDITOR = person(1, owner="BUSINESS"), person(2, owner="BUSINESS")
OWNER, OTHER = person(3, owner="BUSINESS"), person(4, owner="TECHNICAL")
MANAGER = person(5, role="RELEASE_MANAGER")


def states(facts):
    return {answer.rule.key: answer.state.value for answer in quorum(facts).rules}


@pytest.mark.parametrize("required", ["NO", "RECORDED"])
def test_quorum_where_no_agreement_is_required_is_met(required):
    assert quorum(leg(required=required)).met
    assert quorum(leg(required=required, policy=None)).met


def test_quorum_without_a_policy_is_never_met():
    answer = quorum(leg(sign_off(OWNER), policy=None))

    assert (answer.met, answer.has_policy) == (False, False)


def test_quorum_of_a_policy_without_rules_is_never_met():
    assert not quorum(leg(under=replace(policy(), rules=()))).met


def test_quorum_with_one_owner_is_met():
    answer = quorum(leg(sign_off(OWNER)))

    assert answer.met
    assert [one.name for one in answer.rules[0].by] == ["Person 3"]


@pytest.mark.parametrize("part", list(DIGESTS))
@pytest.mark.parametrize("covered", [SIGNED, ("scope",), ("scope", "plan"), ("story", *SIGNED)])
def test_a_sign_off_lapses_exactly_when_a_covered_part_changed(part, covered):
    changed = {**DIGESTS, part: "f" * 64}
    facts = leg(sign_off(OWNER, parts=covered), under=policy(rule(parts=covered)), digests=changed)

    answer = quorum(facts)

    assert answer.met is (part not in covered)
    assert states(facts) == {"owner": "LAPSED" if part in covered else "AGREED"}
    assert [one.name for one in answer.rules[0].lapsed] == (["Person 3"] if part in covered else [])


def test_stands_covering_nothing_is_false():
    assert not stands({}, digests=DIGESTS)


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("decision", sign_off(OWNER, decision="REJECT")),
        ("signature", sign_off(OWNER, signature_ok=False)),
        ("signature", sign_off(OWNER, signature_ok=None)),
        ("meaning", sign_off(OWNER, meaning="REVIEW")),
        ("inactive", sign_off(replace(OWNER, is_active=False))),
        ("group", sign_off(person(3))),  # no owner any more
        ("group", sign_off(OWNER, RELEASE)),  # was not named as one
        ("excluded", sign_off(REQUESTER)),
        ("excluded", sign_off(EDITOR)),
        ("excluded", sign_off(person(9, owner="BUSINESS", merged_into=1))),
        ("parts", sign_off(OWNER, parts=("scope", "plan", "rollback"))),
        ("lapsed", sign_off(OWNER, covered=dict.fromkeys(SIGNED, "0" * 64))),
    ],
)
def test_why_not_counted_names_each_reason(code, given):
    facts = leg(given)

    assert why_not_counted(given, rule=facts.policy.rules[0], facts=facts) == code
    assert not quorum(facts).met


def test_a_group_named_for_another_service_does_not_count():
    elsewhere = sign_off(OWNER, groups=frozenset({(f"owner:ANY:{UUID(int=77)}", str(TARGET))}))

    assert not quorum(leg(elsewhere)).met


def test_a_sign_off_for_one_place_does_not_count_at_another():
    elsewhere = leg(sign_off(OWNER), target_id=UUID(int=77))

    assert why_not_counted(elsewhere.sign_offs[0], rule=elsewhere.policy.rules[0], facts=elsewhere) == "group"
    assert not quorum(elsewhere).met


@pytest.mark.parametrize("hand", ["requester", *(editor_of(part) for part in SIGNED)])
def test_not_knowing_who_did_something_excludes_nobody_silently(hand):
    facts = leg(sign_off(OWNER))

    with pytest.raises(KeyError, match=hand):
        quorum(replace(facts, hands={of: who for of, who in facts.hands.items() if of != hand}))


@pytest.mark.parametrize(
    ("group", "who"),
    [
        (BUSINESS, person(6, owner="BUSINESS")),
        (TECHNICAL, person(6, owner="BUSINESS TECHNICAL")),
        (ANY_OWNER, person(6, owner="TECHNICAL")),
        (RELEASE, person(6, role="RELEASE_MANAGER")),
        (TEAM_GROUP, person(6, team=True)),
    ],
)
def test_quorum_by_each_kind_of_group(group, who):
    assert quorum(leg(sign_off(who, group), under=policy(rule(group=group)))).met
    stranger = person(6)
    assert not quorum(leg(sign_off(stranger, group), under=policy(rule(group=group)))).met


def test_one_person_in_two_groups_fills_one_seat():
    both = person(6, owner="BUSINESS", role="RELEASE_MANAGER")
    rules = (rule("business", BUSINESS), rule("release", RELEASE))
    alone = leg(sign_off(both, BUSINESS, RELEASE), under=policy(*rules))

    assert not quorum(alone).met
    assert quorum(replace(alone, sign_offs=(*alone.sign_offs, sign_off(MANAGER, RELEASE)))).met
    assert quorum(replace(alone, sign_offs=(*alone.sign_offs, sign_off(OWNER, BUSINESS)))).met


def test_merged_persons_count_once():
    same = (person(6, owner="BUSINESS"), person(7, owner="BUSINESS", merged_into=6))

    answer = quorum(leg(*(sign_off(one) for one in same), under=policy(rule(needed=2))))

    assert not answer.met
    assert answer.rules[0].missing == 1


def test_a_later_stage_opens_when_the_earlier_is_agreed():
    under = policy(rule("release", RELEASE, stage=2), rule("business", BUSINESS, stage=1))
    second_only = leg(sign_off(MANAGER, RELEASE), under=under)

    assert states(second_only) == {"business": "WAITING", "release": "LATER"}
    both = replace(second_only, sign_offs=(*second_only.sign_offs, sign_off(OWNER, BUSINESS)))
    assert states(both) == {"business": "AGREED", "release": "AGREED"}
    assert quorum(both).met


def test_everyone_needs_each_member_but_not_the_excluded():
    under = policy(rule(needed=0))
    people = (REQUESTER, EDITOR, OWNER, OTHER, person(8, owner="BUSINESS", active=False))

    assert not quorum(leg(sign_off(OWNER), under=under, people=people)).met
    assert quorum(leg(sign_off(OWNER), sign_off(OTHER), under=under, people=people)).met


def test_everyone_of_an_empty_group_never_agrees():
    answer = quorum(leg(sign_off(OWNER), under=policy(rule(needed=0)), people=(REQUESTER,)))

    assert (answer.met, answer.rules[0].missing) == (False, 1)


def test_everyone_named_is_asked_under_whatever_name_they_have_now():
    group = Group("PERSONS", persons=frozenset({OWNER.id, UUID(int=6)}))
    under = policy(rule(group=group, needed=0))
    gone, keep = person(6, active=False, merged_into=7), replace(person(7), stands_for=frozenset({UUID(int=6)}))
    one, two = sign_off(OWNER, group), sign_off(keep, group)

    assert not quorum(leg(one, under=under, people=(OWNER, gone, keep))).met
    assert quorum(leg(one, two, under=under, people=(OWNER, gone, keep))).met
    assert not quorum(leg(one, under=under, people=(OWNER,))).met  # who is named and not known is not left out
    assert not quorum(leg(one, under=under, people=(OWNER, gone))).met
    assert quorum(leg(one, under=under, people=(OWNER, person(6, active=False)))).met  # who left is no longer asked


def test_solo_lets_the_requester_but_not_another_editor_sign():
    solo = policy(solo=True)

    assert quorum(leg(sign_off(REQUESTER), under=solo)).met
    assert not quorum(leg(sign_off(EDITOR), under=solo)).met


def test_the_requester_is_kept_out_whatever_the_policy_says():
    assert not quorum(leg(sign_off(REQUESTER), under=policy(exclude=()))).met
    assert quorum(leg(sign_off(EDITOR), under=policy(exclude=()))).met


def test_all_met_looks_only_at_legs_still_to_come():
    assert not all_met(())
    assert not all_met((leg(), leg(sign_off(OWNER))))
    assert all_met((leg(leg_state="DONE"), leg(sign_off(OWNER))))


def brute_force(seats):
    people = sorted(set().union(*seats)) if seats else []
    chairs = [*people, *[None] * len(seats)]
    best = [False] * len(seats)
    for order in permutations(chairs, len(seats)):
        filled = [one in seat for one, seat in zip(order, seats, strict=True)]
        best = max(best, filled)
    return best


@given(st.lists(st.frozensets(st.integers(0, 3).map(lambda n: UUID(int=n)), max_size=3), max_size=4))
def test_match_seats_fills_as_many_of_the_first_seats_as_any_seating_could(seats):
    taken = match_seats(seats)

    assert [one is not None for one in taken] == brute_force(seats)
    assert all(one is None or one in seat for one, seat in zip(taken, seats, strict=True))
    sitting = [one for one in taken if one is not None]
    assert len(set(sitting)) == len(sitting)


@st.composite
def votes(draw):
    people = [
        person(n, owner=draw(st.sampled_from(["", "BUSINESS", "TECHNICAL"])), role=draw(st.sampled_from(["", "RELEASE_MANAGER"])))
        for n in range(10, 14)
    ]
    groups = [BUSINESS, TECHNICAL, RELEASE]
    rules = [
        rule(f"r{n}", draw(st.sampled_from(groups)), needed=draw(st.integers(1, 2)), stage=draw(st.integers(1, 2)))
        for n in range(draw(st.integers(1, 3)))
    ]
    signed = draw(st.lists(st.sampled_from(people), unique=True))
    return leg(*(sign_off(one, *groups) for one in signed), under=policy(*rules))


@given(votes())
def test_quorum_is_met_exactly_when_some_seating_of_distinct_people_fills_every_seat(facts):
    def able(one, of):
        return why_not_counted(one, rule=of, facts=facts) is None

    seats = [frozenset(one.person.id for one in facts.sign_offs if able(one, of)) for of in facts.policy.rules for _ in range(of.needed)]

    assert quorum(facts).met is all(brute_force(seats))


@given(votes(), st.data())
def test_taking_a_sign_off_away_never_helps(facts, data):
    fewer = data.draw(st.lists(st.sampled_from(facts.sign_offs), unique_by=id)) if facts.sign_offs else []

    assert quorum(facts).met or not quorum(replace(facts, sign_offs=tuple(fewer))).met


def test_forecast_names_who_can_and_what_would_help():
    people = (REQUESTER, EDITOR, OWNER)
    enough = forecast(leg(people=people))
    short = forecast(leg(people=people, under=policy(rule(needed=2))))

    assert enough.can_be_met
    assert [one.name for one in enough.rules[0].candidates] == ["Person 3"]
    assert not short.can_be_met
    assert short.rules[0].missing == 1
    assert short.cures == (
        "“Owner” needs 2 and 1 can sign. An administrator names 1 more owner of payments who is neither requester nor last editor.",
    )


def test_forecast_sees_that_two_rules_need_two_people():
    both = person(6, owner="BUSINESS", role="RELEASE_MANAGER")

    said = forecast(leg(people=(both,), under=policy(rule("business", BUSINESS), rule("release", RELEASE))))

    assert not said.can_be_met


def test_forecast_without_a_policy_says_who_writes_one():
    said = forecast(leg(policy=None))

    assert not said.can_be_met
    assert said.cures == ("No policy says who agrees to payments in production. An administrator writes one.",)
    assert forecast(leg(required="NO", policy=None)).can_be_met


def test_the_service_of_the_material_is_the_one_its_groups_name():
    assert str(SERVICE) in next(iter(sign_off(OWNER).groups))[0]


def test_answer_is_remembered_of_the_very_facts_and_of_no_others():
    facts = leg(sign_off(OWNER))
    first = quorum(facts)

    assert quorum(facts) is first
    assert quorum(replace(facts, sign_offs=())) != first
    assert quorum(replace(facts)) == first
    for _ in range(REMEMBERED):
        quorum(replace(facts))
    assert len(_answers) <= REMEMBERED
    assert quorum(facts) == first
