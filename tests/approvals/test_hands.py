"""Who is kept out as last editor: part by part, whatever somebody else edited after them. And who comes back."""

from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest

from apps.accounts.actions import create_administrator, deactivate_person, reactivate_person
from apps.accounts.roles import Role
from apps.approvals.actions import chase_agreement
from apps.approvals.beat import CLOCK
from apps.approvals.facts import review_facts
from apps.approvals.models import Nudge
from apps.approvals.rules import editor_of, excluded_as, forecast, quorum, why_not_approve, why_not_counted
from apps.approvals.steps import signer
from apps.changes.content import PARTS
from apps.changes.states import State
from apps.core.refusals import Refused
from apps.gate.judgement import verdict_now
from tests.approvals.material import AT, SIGNED, leg, person, policy, rule, sign_off
from tests.approvals.world import edit, make_world
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import SYSTEM, DelegationFactory, a_rule, approve, make_policy

OWNER, OTHER = person(3, owner="BUSINESS"), person(4, owner="TECHNICAL")
REQUESTER = {"requester": frozenset({UUID(int=1)})}
HOUR = timedelta(hours=1)


def reviewed(change):
    change.refresh_from_db()
    return review_facts(change)


def edited_by(**parts):
    """The hands where each part was last changed by this person, else by the requester."""
    return REQUESTER | {editor_of(part): frozenset({parts.get(part, UUID(int=1))}) for part in PARTS}


@pytest.mark.parametrize(("part", "covered"), [*product(PARTS, PARTS)])
def test_whoever_last_changed_a_part_is_kept_from_what_covers_it_alone(part, covered):
    one, hands = rule(parts=(covered,)), edited_by(**{part: OWNER.id})

    said = excluded_as(OWNER, rule=one, policy=policy(one), hands=hands)

    assert said == ("last_editor" if part == covered else None)


def test_an_edit_of_another_part_by_another_person_launders_nothing():
    hands = edited_by(plan=OWNER.id, story=UUID(int=9))
    facts = leg(sign_off(OWNER), people=(OWNER, OTHER), hands=hands)

    assert why_not_counted(facts.sign_offs[0], rule=facts.policy.rules[0], facts=facts) == "excluded"
    assert [one.id for one in forecast(facts).rules[0].candidates] == [OTHER.id]


def test_one_rule_keeps_out_whom_another_one_asks():
    plan, scope = rule("plan", parts=("plan",)), rule("scope", parts=("scope",))
    facts = leg(sign_off(OWNER), under=policy(plan, scope), people=(OWNER, OTHER), hands=edited_by(plan=OWNER.id))

    assert [answer.state for answer in quorum(facts).rules] == ["WAITING", "AGREED"]


def test_a_policy_that_does_not_keep_editors_out_asks_nobody_who_they_are():
    lax = policy(exclude=("requester",))
    assert excluded_as(OWNER, rule=rule(), policy=lax, hands=REQUESTER) is None


def test_solo_signs_what_they_wrote_themselves_and_nothing_that_another_one_wrote_excuses_others():
    solo, own = policy(solo=True), person(1, owner="BUSINESS")
    assert excluded_as(own, rule=rule(), policy=solo, hands=edited_by()) is None
    assert excluded_as(OWNER, rule=rule(), policy=solo, hands=edited_by(scope=OWNER.id)) == "last_editor"


@pytest.mark.parametrize(("back", "counts"), [(None, True), (AT - HOUR, True), (AT, False), (AT + HOUR, False)])
@pytest.mark.parametrize("whose", ["signer", "holder"])
def test_what_was_signed_before_somebody_came_back_does_not_count(back, counts, whose):
    away = person(3, owner="BUSINESS")
    object.__setattr__(away, "inactive_until", back)
    given = sign_off(away) if whose == "signer" else sign_off(person(7), stands_for=away)
    facts = leg(given, people=(away,))

    assert why_not_counted(given, rule=facts.policy.rules[0], facts=facts) == (None if counts else "inactive")


def test_the_owner_who_wrote_the_plan_is_refused_after_an_edit_of_the_story_by_the_requester(db):
    world = make_world()
    change = world.change()
    edit(change, "plan", by=world.business)
    edit(change, "story")

    with pytest.raises(Refused) as refused:
        approve(change, world.business)
    assert refused.value.refusal.code == "own_edit"
    approve(change, world.technical)
    assert change.__class__.objects.get(pk=change.pk).state == State.APPROVED


def test_pages_and_gate_agree_on_who_edited_what(db):
    world = make_world(a_rule(parts=["scope"]))
    change = world.change()
    approve(change, world.business)
    edit(change, "plan", by=world.business)
    leg_row = change.legs.get()
    assert quorum(reviewed(change).legs[0]).met
    assert "sign_off_missing" not in verdict_now(leg_row, now=NOW).codes

    edit(change, "scope", by=world.business)
    edit(change, "story")
    edit(change, "period")
    review = reviewed(change)
    assert not quorum(review.legs[0]).met
    assert review.legs[0].hands[editor_of("scope")] == {world.business.public_id}
    assert review.legs[0].hands[editor_of("plan")] == {world.business.public_id}
    assert review.legs[0].hands[editor_of("story")] == {world.requester.public_id}
    assert "sign_off_missing" in verdict_now(leg_row, now=NOW).codes
    assert why_not_approve(review, revision_digest=review.revision_digest, by=signer(world.business)).code == "own_edit"


def test_the_gate_keeps_out_whoever_wrote_the_plan_whatever_was_edited_since(db):
    world = make_world(a_rule(needed=1, parts=["plan"]), exclude=["requester"])
    change = world.change()
    edit(change, "plan", by=world.business)
    approve(change, world.business)
    edit(change, "story")
    leg_row = change.legs.get()
    assert "sign_off_missing" not in verdict_now(leg_row, now=NOW).codes

    make_policy(world.target.environment, a_rule(needed=1, parts=["plan"]))

    assert not quorum(reviewed(change).legs[0]).met
    assert "sign_off_missing" in verdict_now(leg_row, now=NOW).codes


def test_coming_back_revives_no_sign_off_and_signing_anew_counts(db):
    world, ada = make_world(), make_person(Role.ADMINISTRATOR)
    change = world.change()
    approve(change, world.business)
    deactivate_person(world.business.pk, by=ada.actor)
    reactivate_person(world.business.pk, by=ada.actor)
    world.business.refresh_from_db()
    leg_row = change.legs.get()

    assert world.business.inactive_until is not None
    assert not quorum(reviewed(change).legs[0]).met
    assert "sign_off_missing" in verdict_now(leg_row, now=NOW).codes

    approve(change, world.business, now=world.business.inactive_until + HOUR)
    assert quorum(reviewed(change).legs[0]).met
    assert "sign_off_missing" not in verdict_now(leg_row, now=NOW).codes


def test_coming_back_revives_nothing_that_was_signed_in_ones_place(db):
    world, ada = make_world(), make_person(Role.ADMINISTRATOR)
    DelegationFactory(person=world.business, delegate=world.stranger)
    change = world.change()
    approve(change, world.stranger)
    deactivate_person(world.business.pk, by=ada.actor)
    reactivate_person(world.business.pk, by=ada.actor)

    assert not quorum(reviewed(change).legs[0]).met
    assert "sign_off_missing" in verdict_now(change.legs.get(), now=NOW).codes


def test_the_way_back_from_the_host_revives_nothing_either(db):
    ada = make_person(Role.ADMINISTRATOR, is_active=False, deactivated_at=NOW)

    create_administrator(email=ada.email, name=ada.name, by=SYSTEM, now=NOW + HOUR)

    ada.refresh_from_db()
    assert (ada.is_active, ada.inactive_until) == (True, NOW + HOUR)


@pytest.mark.parametrize("part", PARTS)
def test_only_an_edit_of_what_a_rule_covers_begins_its_wait_anew(db, part):
    world = make_world(remind_after_hours=2)
    change = world.change()
    assert chase_agreement(change_id=change.pk, by=CLOCK, now=NOW + 2 * HOUR) == 2

    edit(change, part, now=NOW + 2 * HOUR)

    again = chase_agreement(change_id=change.pk, by=CLOCK, now=NOW + timedelta(days=3))
    assert again == (2 if part in SIGNED else 0)
    assert {one.since for one in Nudge.objects.filter(step="REMINDED")} == ({NOW, NOW + 2 * HOUR} if part in SIGNED else {NOW})
