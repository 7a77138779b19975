"""Why a verb of sign-off is refused: each answer, and its cure."""

from dataclasses import replace
from datetime import timedelta

import pytest

from apps.approvals.rules import (
    open_seats,
    seats_for,
    why_not_approve,
    why_not_reject,
    why_not_send_back,
    why_not_withdraw_sign_off,
)
from apps.changes.states import ENDED, State
from apps.core.actors import Actor, ActorKind
from tests.approvals.material import AT, BUSINESS, DIGESTS, RELEASE, leg, person, policy, review, rule, sign_off

REQUESTER, EDITOR = person(1, owner="BUSINESS"), person(2, owner="BUSINESS")
OWNER, OTHER = person(3, owner="BUSINESS"), person(4, owner="TECHNICAL")
MANAGER, STRANGER = person(5, role="RELEASE_MANAGER"), person(9)
PEOPLE = (REQUESTER, EDITOR, OWNER, OTHER, MANAGER)
READ = "e" * 64


def actor(who):
    return Actor(ActorKind.PERSON, str(who.id), "session")


def approve(who, facts=None, **given):
    refusal = why_not_approve(facts or review(leg(people=PEOPLE)), **{"revision_digest": READ, "by": actor(who), **given})
    return refusal.code if refusal else None


def test_approve_by_an_owner_is_allowed():
    assert approve(OWNER) is None
    assert approve(OTHER) is None


def test_approve_one_own_change_is_refused_with_who_can():
    refusal = why_not_approve(review(leg(people=PEOPLE)), revision_digest=READ, by=actor(REQUESTER))

    assert (refusal.code, refusal.status) == ("own_change", 403)
    assert str(refusal) == "You asked for this change, so you cannot sign it. Person 3, Person 4 can."


@pytest.mark.parametrize(
    ("who", "code"),
    [(EDITOR, "own_edit"), (STRANGER, "not_asked"), (MANAGER, "not_asked")],
)
def test_approve_by_somebody_else_is_refused(who, code):
    assert approve(who) == code


def test_approve_by_an_inactive_owner_is_refused():
    gone = replace(OWNER, is_active=False)

    assert approve(gone, review(leg(people=(gone, OTHER)))) == "not_asked"


def test_approve_with_a_token_is_refused():
    gate_token = Actor(ActorKind.TOKEN, "t", on_behalf_of=str(OWNER.id))

    assert approve(OWNER, by=gate_token) == "not_a_person"


@pytest.mark.parametrize("credential", ["", "personal_token:1", "one_time_link", "something_new"])
def test_approve_with_anything_but_a_session_is_refused(credential):
    assert approve(OWNER, by=replace(actor(OWNER), credential=credential)) == "not_a_person"


@pytest.mark.parametrize("state", list(State))
def test_approve_in_each_state(state):
    allowed = state in {State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS}
    code = approve(OWNER, review(leg(people=PEOPLE), state=state))

    assert code == (None if allowed else "not_submitted" if state is State.DRAFT else "change_over")
    assert (code == "change_over") is (state in ENDED)


@pytest.mark.parametrize("state", list(State))
def test_reject_and_send_back_in_each_state(state):
    facts = review(leg(people=PEOPLE), state=state)

    rejected = why_not_reject(facts, revision_digest=READ, by=actor(OWNER))
    sent_back = why_not_send_back(facts, by=actor(OWNER), is_release_manager=False)

    assert (rejected is None) is (state in {State.IN_REVIEW, State.APPROVED})
    assert (sent_back is None) is (state is State.IN_REVIEW)


def test_approve_a_revision_that_was_edited_meanwhile_is_refused_with_who_and_when():
    refusal = why_not_approve(review(leg(people=PEOPLE)), revision_digest="0" * 64, by=actor(OWNER))

    assert refusal.code == "stale_revision"
    assert refusal.reason == "Ada edited CHG-7 on 19 Nov 13:20 UTC; revision 1 is the newest."


@pytest.mark.parametrize(("hours", "code"), [(1, "self_granted"), (-1, None), (0, None)])
def test_approve_after_giving_oneself_the_role_is_refused(hours, code):
    helped = replace(OWNER, self_granted_at=AT + timedelta(hours=hours))
    facts = review(leg(people=(helped, OTHER)), opened_at=AT)

    assert approve(helped, facts) == code
    assert approve(OTHER, facts) is None


def test_approve_without_a_policy_is_refused():
    assert approve(OWNER, review(leg(policy=None))) == "no_policy"


def test_approve_where_nobody_is_asked_is_refused():
    assert approve(OWNER, review(leg(required="RECORDED"))) == "nobody_asked"


def test_approve_twice_is_refused_until_something_lapses_or_the_settings_change():
    once = leg(sign_off(OWNER), people=PEOPLE)
    edited = replace(once, digests={**DIGESTS, "plan": "0" * 64})
    resettled = replace(once, settings={"t": "9" * 64})

    assert approve(OWNER, review(once)) == "already"
    assert approve(OWNER, review(edited)) is None
    assert approve(OWNER, review(resettled)) is None


def test_approve_a_later_stage_early_is_refused_naming_the_earlier():
    under = policy(rule("business", BUSINESS), rule("release", RELEASE, stage=2))
    facts = review(leg(people=PEOPLE, under=under))

    refusal = why_not_approve(facts, revision_digest=READ, by=actor(MANAGER))

    assert refusal.code == "later_stage"
    assert str(refusal) == "“Release” comes after “Business”, which has not agreed yet. Sign when “Business” has agreed."
    assert approve(MANAGER, review(leg(sign_off(OWNER, BUSINESS), people=PEOPLE, under=under))) is None


def test_approve_with_a_meaning_no_rule_asks_for_is_refused():
    assert approve(OWNER, meaning="AUTHORISATION") == "other_meaning"
    assert approve(OWNER, meaning="APPROVAL") is None


def test_open_seats_take_the_meaning_of_the_first_rule_still_waiting():
    under = policy(rule("business", BUSINESS), rule("read", BUSINESS, meaning="REVIEW"))
    fresh = review(leg(people=PEOPLE, under=under))
    agreed = review(leg(sign_off(EDITOR, BUSINESS), people=PEOPLE, under=replace(under, exclude=frozenset({"requester"}))))

    assert [seat.rule.key for seat in open_seats(fresh, by=OWNER.id)] == ["business"]
    assert [seat.rule.key for seat in open_seats(agreed, by=OWNER.id)] == ["read"]


def test_open_seats_take_the_meaning_that_waits_for_this_person_before_one_that_waits_for_others():
    under = policy(rule("business", BUSINESS, needed=2), rule("read", BUSINESS, meaning="REVIEW"))
    facts = review(leg(sign_off(OWNER, BUSINESS), people=PEOPLE, under=under))

    assert [seat.rule.key for seat in open_seats(facts, by=OWNER.id)] == ["read"]
    assert approve(OWNER, facts) is None
    assert approve(OWNER, facts, meaning="APPROVAL") == "already"


def test_seats_are_those_of_every_leg_still_to_come():
    facts = review(leg(people=PEOPLE), leg(people=PEOPLE, environment="staging"), leg(people=PEOPLE, leg_state="DONE"))

    assert [seat.leg.environment for seat in seats_for(facts, by=OWNER.id)] == ["production", "staging"]


def test_approve_when_only_other_legs_are_left_is_refused():
    done = leg(people=PEOPLE, leg_state="DONE")

    assert approve(OWNER, review(done)) == "nobody_asked"
    assert approve(OWNER, review(done, leg(people=(MANAGER,), under=policy(rule(group=RELEASE))))) == "not_asked"


def test_solo_lets_the_requester_sign():
    assert approve(REQUESTER, review(leg(people=PEOPLE, under=policy(solo=True)))) is None


def test_reject_by_the_last_editor_is_allowed_by_requester_and_stranger_refused():
    facts = review(leg(people=PEOPLE))
    codes = {who.name: why_not_reject(facts, revision_digest=READ, by=actor(who)) for who in (EDITOR, REQUESTER, STRANGER)}

    assert {name: refusal and refusal.code for name, refusal in codes.items()} == {
        "Person 2": None,
        "Person 1": "own_change",
        "Person 9": "not_asked",
    }


@pytest.mark.parametrize("leg_state", ["STARTED", "DONE"])
def test_reject_and_send_back_after_a_leg_began_is_refused(leg_state):
    facts = review(leg(people=PEOPLE, leg_state=leg_state))

    assert why_not_reject(facts, revision_digest=READ, by=actor(OWNER)).code == "leg_started"
    assert why_not_send_back(facts, by=actor(OWNER), is_release_manager=False).code == "leg_started"


def test_send_back_by_a_release_manager_who_signs_nothing_is_allowed():
    facts = review(leg(people=(OWNER,)))

    assert why_not_send_back(facts, by=actor(MANAGER), is_release_manager=True) is None
    assert why_not_send_back(facts, by=actor(MANAGER), is_release_manager=False).code == "not_asked"


def test_withdraw_a_sign_off_until_its_own_leg_begins():
    given = sign_off(OWNER)
    waiting = review(leg(given, people=PEOPLE))
    begun = review(leg(given, people=PEOPLE, leg_state="STARTED"))
    other_begun = review(leg(given, people=PEOPLE), leg(given, people=PEOPLE, policy=None, required="NO", leg_state="DONE"))

    assert why_not_withdraw_sign_off(waiting, sign_off=given, by=actor(OWNER)) is None
    assert why_not_withdraw_sign_off(other_begun, sign_off=given, by=actor(OWNER)) is None
    assert why_not_withdraw_sign_off(begun, sign_off=given, by=actor(OWNER)).code == "leg_started"
    assert why_not_withdraw_sign_off(waiting, sign_off=given, by=actor(OTHER)).code == "not_yours"
    assert why_not_withdraw_sign_off(replace(waiting, state="CLOSED"), sign_off=given, by=actor(OWNER)).code == "change_over"
