"""A policy in words, and the readable difference between two wordings."""

from dataclasses import replace
from uuid import UUID

import pytest

from apps.approvals.rules import Difference, Group, differences, rule_words, switch_words
from tests.approvals.material import BUSINESS, RELEASE, TEAM, TEAM_GROUP, policy, rule

ADA = UUID(int=77)
NAMES = {TEAM: "Payments", ADA: "Ada"}


@pytest.mark.parametrize(
    ("words", "group", "needed"),
    [
        ("2 of the business owners of the service", BUSINESS, 2),
        ("every one of the release managers", RELEASE, 0),
        ("1 of the members of the team Payments", TEAM_GROUP, 1),
        ("1 of Ada, somebody unknown", Group("PERSONS", persons=frozenset({ADA, UUID(int=1)})), 1),
    ],
)
def test_rule_words(words, group, needed):
    assert rule_words(rule(group=group, needed=needed), names=NAMES) == words


def test_the_same_wording_has_no_difference():
    assert differences(policy(), policy(), names=NAMES) == []


def test_differences_name_what_changed_in_a_rule_and_in_a_switch():
    now = replace(policy(rule(needed=2, stage=2)), remind_after_hours=8, solo=True)

    assert differences(policy(), now, names=NAMES) == [
        Difference("Rule “Owner”", "how many", "1", "2"),
        Difference("Rule “Owner”", "stage", "1", "2"),
        Difference("Own change", "", "is never signed alone", "may be signed alone, with a reason, and is marked"),
        Difference("Reminder", "", "none", "after 8 hours of waiting"),
    ]


def test_a_rule_that_came_and_one_that_went_are_told_whole():
    found = differences(policy(rule("old")), policy(rule("new", RELEASE)), names=NAMES)

    assert {one.part for one in found} == {"Rule “Old”", "Rule “New”"}
    assert all(one.now == "" for one in found if one.part == "Rule “Old”")
    assert Difference("Rule “New”", "whose", "", "release managers") in found


def test_another_order_of_the_same_rules_is_a_difference():
    one, two = rule("one"), rule("two", RELEASE)

    assert differences(policy(one, two), policy(two, one), names=NAMES) == [Difference("Order of rules", "", "one, two", "two, one")]


def test_switch_words_never_leave_the_requester_out():
    assert switch_words(policy(exclude=()))["Cannot sign"] == "whoever asked for it"
    assert switch_words(policy(exclude=(), solo=True))["Cannot sign"] == "nobody is kept out"
