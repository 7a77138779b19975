"""Who lets somebody in does not choose who agrees: seats given by the requester or an editor count on their changes for nothing."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest

from apps.accounts.actions import grant_role, invite_person, join_person, revoke_role, start_membership
from apps.accounts.roles import Role
from apps.approvals.facts import review_facts
from apps.approvals.rules import Group, editor_of, forecast, seats_for, why_not_approve
from apps.approvals.rules.giving import is_given_by_hands
from apps.catalog.actions import end_ownership, start_ownership
from apps.catalog.facts import people_facts
from apps.catalog.models import OwnerKind
from apps.catalog.rules import LINK
from apps.changes.states import State
from apps.core.actors import Actor, ActorKind
from apps.core.refusals import Refused
from apps.notifications.facts.asking import asked_now
from tests.approvals.material import ANY_OWNER, BUSINESS, RELEASE, TEAM, TEAM_GROUP, leg, person, policy, review, rule
from tests.approvals.world import edit, make_world
from tests.conftest import NOW
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.approvals import DelegationFactory, a_rule, approve, make_change, make_policy

HOUR = timedelta(hours=1)
REQUESTER, EDITOR, ANOTHER = UUID(int=1), UUID(int=2), UUID(int=9)
NAMED = Group("PERSONS", persons=frozenset({UUID(int=3)}))
HELD = {
    "owner": (ANY_OWNER, "OWNER:BUSINESS"),
    "role": (RELEASE, "ROLE:RELEASE_MANAGER"),
    "team": (TEAM_GROUP, f"TEAM:{TEAM}"),
    "named": (NAMED, LINK),
}


def given(*givers, key="OWNER:BUSINESS"):
    """An owner, release manager and member, with who gave each of what puts them there."""
    return replace(person(3, owner="BUSINESS", role="RELEASE_MANAGER", team=True), given_by={key: tuple(frozenset(by) for by in givers)})


def is_given(who, *, group=BUSINESS, under=None, **more):
    one = rule(group=group)
    return is_given_by_hands(who, rule=one, policy=under or policy(one), hands=leg().hands, **more)


@pytest.mark.parametrize(("held", "giver"), [*product(HELD, (REQUESTER, EDITOR, ANOTHER))])
def test_a_seat_of_any_kind_that_a_hand_gave_is_none(held, giver):
    group, key = HELD[held]
    assert is_given(given({giver}, key=key), group=group) == (giver != ANOTHER)


@pytest.mark.parametrize(
    ("givers", "barred"),
    [
        ((), False),  # nobody is known to have given it alone
        (({REQUESTER}, {ANOTHER}), False),  # twice given: one of them is enough
        (({REQUESTER}, {EDITOR}), True),
        (({ANOTHER, REQUESTER},), True),  # given by another one, and let in by the requester after that
        ((set(),), False),
    ],
)
def test_one_good_giver_is_enough_and_a_later_link_spoils_it(givers, barred):
    assert is_given(given(*givers)) == barred


def test_where_editors_may_sign_what_they_give_counts():
    lax = policy(rule(group=BUSINESS), exclude=("requester",))
    assert not is_given(given({EDITOR}), under=lax)
    assert is_given(given({REQUESTER}), under=lax)


def test_an_editor_of_what_the_rule_does_not_cover_is_no_hand():
    one = rule(group=BUSINESS, parts=("scope",))
    hands = leg().hands | {editor_of("scope"): frozenset({ANOTHER})}
    assert not is_given_by_hands(given({EDITOR}), rule=one, policy=policy(one), hands=hands)


def test_where_requesters_sign_alone_it_keeps_nobody_from_anything():
    assert not is_given(given({REQUESTER}), under=policy(rule(group=BUSINESS), solo=True))


def test_a_stand_in_has_a_seat_as_good_as_the_holders_and_was_not_let_in_by_a_hand():
    helper, good = person(7), given({ANOTHER})
    assert not is_given(helper, stands_for=good)
    assert is_given(helper, stands_for=given({REQUESTER}))
    assert is_given(replace(helper, given_by={LINK: (frozenset({REQUESTER}),)}), stands_for=good)


def test_refusal_names_the_cure_and_the_forecast_does_not_name_them():
    eve, tom = given({REQUESTER}), person(4, owner="BUSINESS")
    facts = review(leg(people=(eve, tom), under=policy(rule(group=BUSINESS))))

    refusal = why_not_approve(facts, revision_digest="e" * 64, by=Actor(ActorKind.PERSON, str(eve.id), "passkey"))

    assert (refusal.code, refusal.cure) == ("let_in", "Another administrator gives it to you anew. Person 4 can.")
    assert [one.id for one in forecast(facts.legs[0]).rules[0].candidates] == [tom.id]
    assert not seats_for(facts, by=eve.id)


@pytest.fixture
def two(db):
    """Ada asks for changes too; Alan is the other administrator."""
    ada = make_person(Role.ADMINISTRATOR, Role.REQUESTER, name="Ada")
    return ada, make_person(Role.ADMINISTRATOR, name="Alan")


def code_for(change, who):
    change.refresh_from_db()
    facts = review_facts(change)
    refusal = why_not_approve(facts, revision_digest=facts.revision_digest, by=who.actor)
    return refusal.code if refusal else None


def asked_by(requester, world):
    return make_change(State.IN_REVIEW, targets=(world.target,), requester=requester)


def test_one_administrator_does_not_make_an_approver_of_her_own_change(two):
    ada, alan = two
    world = make_world()
    eve = join_person(email="eve@example.org", name="Eve", by=ada.actor, now=NOW)
    start_ownership(world.target.service_id, eve.pk, kind=OwnerKind.BUSINESS, by=ada.actor, now=NOW)
    own, other = asked_by(ada, world), asked_by(world.requester, world)

    assert code_for(own, eve) == "let_in"
    assert code_for(other, eve) is None
    assert eve.public_id not in asked_now(own)
    with pytest.raises(Refused, match="Another administrator"):
        approve(own, eve)

    end_ownership(world.target.service_id, eve.pk, kind=OwnerKind.BUSINESS, by=alan.actor, now=NOW + HOUR)
    start_ownership(world.target.service_id, eve.pk, kind=OwnerKind.BUSINESS, by=alan.actor, now=NOW + HOUR)
    assert code_for(own, eve) is None


@pytest.mark.parametrize("giver", ["ada", "alan"])
def test_roles_and_teams_are_given_as_ownerships_are(two, giver):
    by = dict(zip(("ada", "alan"), two, strict=True))[giver]
    team = TeamFactory()
    world = make_world(
        a_rule("managed", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}),
        a_rule("team", group={"kind": "TEAM", "team": str(team.public_id)}),
    )
    manager, member = make_person(), make_person()
    grant_role(manager.pk, role=Role.RELEASE_MANAGER, by=by.actor, now=NOW)
    start_membership(team.pk, member.pk, by=by.actor, now=NOW)
    change = asked_by(two[0], world)

    assert [code_for(change, one) for one in (manager, member)] == (["let_in"] * 2 if giver == "ada" else [None] * 2)


def test_a_link_that_the_requester_made_after_another_one_gave_the_seat_spoils_it(two):
    ada, alan = two
    world = make_world()
    carl = join_person(email="carl@example.org", name="Carl", by=alan.actor, now=NOW)
    start_ownership(world.target.service_id, carl.pk, kind=OwnerKind.BUSINESS, by=alan.actor, now=NOW)
    change = asked_by(ada, world)
    assert code_for(change, carl) is None

    invite_person(carl.pk, by=ada.actor, now=NOW + HOUR)
    assert code_for(change, carl) == "let_in"

    end_ownership(world.target.service_id, carl.pk, kind=OwnerKind.BUSINESS, by=alan.actor, now=NOW + 2 * HOUR)
    start_ownership(world.target.service_id, carl.pk, kind=OwnerKind.BUSINESS, by=alan.actor, now=NOW + 2 * HOUR)
    assert code_for(change, carl) is None


def test_who_stands_in_was_not_let_in_by_the_requester(two):
    ada, _ = two
    world = make_world()
    helper = make_person(name="Helper")
    DelegationFactory(person=world.business, delegate=helper)
    change = asked_by(ada, world)
    assert code_for(change, helper) is None

    invite_person(helper.pk, by=ada.actor, now=NOW + HOUR)
    assert code_for(change, helper) is not None


def test_a_single_administrator_lets_people_in_and_asks_them(db):
    ada = make_person(Role.ADMINISTRATOR, Role.REQUESTER, name="Ada")
    world = make_world()
    eve = join_person(email="eve@example.org", name="Eve", by=ada.actor, now=NOW - HOUR)
    invite_person(eve.pk, by=ada.actor, now=NOW - HOUR)
    start_ownership(world.target.service_id, eve.pk, kind=OwnerKind.BUSINESS, by=ada.actor, now=NOW - HOUR)
    change = asked_by(ada, world)

    assert code_for(change, eve) is None
    make_person(Role.ADMINISTRATOR, name="Alan")  # what was given before there was somebody else goes on counting
    assert code_for(change, eve) is None


def test_an_administrator_who_was_gone_then_is_nobody_else(two):
    ada, alan = two
    revoke_role(alan.pk, role=Role.ADMINISTRATOR, by=alan.actor, now=NOW)
    eve = make_person()
    grant_role(eve.pk, role=Role.RELEASE_MANAGER, by=ada.actor, now=NOW + HOUR)

    assert people_facts([eve])[eve.public_id].given_by["ROLE:RELEASE_MANAGER"] == (frozenset(),)


def test_a_team_of_one_signs_alone_where_the_policy_lets_them(two):
    ada, _ = two
    world = make_world()
    make_policy(world.target.environment, solo=True, exclude=[])
    start_ownership(world.target.service_id, ada.pk, kind=OwnerKind.BUSINESS, by=ada.actor, now=NOW)
    change = asked_by(ada, world)

    approve(change, ada, reason="Nobody else is here.", now=NOW + HOUR)
    change.refresh_from_db()
    assert change.state == State.APPROVED


def test_an_editor_who_is_an_administrator_lets_nobody_in_either(two):
    ada, _ = two
    world = make_world()
    start_ownership(world.target.service_id, world.stranger.pk, kind=OwnerKind.BUSINESS, by=ada.actor, now=NOW)
    start_ownership(world.target.service_id, ada.pk, kind=OwnerKind.TECHNICAL, by=ada.actor, now=NOW)
    change = asked_by(world.requester, world)
    assert code_for(change, world.stranger) is None

    edit(change, "plan", by=ada)
    assert code_for(change, world.stranger) == "let_in"
