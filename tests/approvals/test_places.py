"""What was said for one place is not said for another, however the stages of both open."""

from dataclasses import replace

import pytest

from apps.approvals.actions import revise_change
from apps.approvals.facts import review_facts
from apps.approvals.rules import quorum
from apps.changes.content import EnvironmentRef
from apps.changes.facts import content_of
from apps.changes.states import State
from apps.gate.gather import gather
from apps.gate.judgement import question_about
from apps.gate.rules import judge
from tests.approvals.world import make_world
from tests.conftest import NOW
from tests.factories.approvals import a_rule, approve, make_change, make_policy, newest
from tests.factories.catalog import COMMIT, EnvironmentFactory, make_target

RELEASE = a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"})
OWNER = a_rule("owner", stage=2)
PLAN = a_rule("owner", parts=["plan"])


def another(world, *rules):
    """The same service in a second place that asks for agreement."""
    target = make_target(world.target.service, EnvironmentFactory())
    target.running_label, target.running_identities, target.running_since = "3.17.0", [COMMIT], NOW
    target.save()
    make_policy(target.environment, *rules)
    return target


def met(change):
    """By target, whether it is agreed: by our own facts and by what the gate reads."""
    change.refresh_from_db()
    here = {leg.target_id: quorum(leg).met for leg in review_facts(change).legs}
    legs = change.legs.filter(is_current=True).select_related("service", "environment", "item", "target")
    there = {leg.target.public_id: quorum(gather(question_about(leg)).facts.legs[0].quorum).met for leg in legs}
    assert here == there
    return here


def test_an_owner_who_signed_before_a_stage_opened_did_not_speak_for_it(db):
    world = make_world(RELEASE, OWNER)
    staging, production = another(world), world.target
    change = make_change(State.IN_REVIEW, targets=(staging, production), requester=world.requester)

    approve(change, world.business)
    assert met(change) == {staging.public_id: True, production.public_id: False}
    approve(change, world.manager)

    assert met(change) == {staging.public_id: True, production.public_id: False}
    assert change.state == State.IN_REVIEW
    approve(change, world.business)
    assert met(change) == {staging.public_id: True, production.public_id: True}
    assert change.state == State.APPROVED


def test_a_place_that_is_added_later_is_not_agreed_by_a_rule_that_leaves_out_the_scope(db):
    world = make_world(PLAN)
    added = another(world, PLAN)
    change = world.change()
    approve(change, world.business)
    content = content_of(newest(change))
    item = content.scope.items[0]
    more = (*item.environments, EnvironmentRef(added.environment.public_id, added.environment.name))
    wanted = replace(content, scope=replace(content.scope, items=(replace(item, environments=more),)))

    revise_change(change_id=change.pk, content=wanted, by=world.requester.actor, now=NOW)

    assert met(change) == {world.target.public_id: True, added.public_id: False}
    assert change.state == State.IN_REVIEW
    approve(change, world.business)
    assert met(change) == {world.target.public_id: True, added.public_id: True}


@pytest.mark.parametrize("field", ["kind", "requester"])
def test_the_gate_notices_that_a_change_is_of_another_kind_or_person_than_it_was(db, field):
    world = make_world()
    change = world.change(State.APPROVED)
    question = question_about(change.legs.get())
    assert gather(question).facts.legs[0].is_intact

    type(change).objects.update(**{field: {"kind": "EMERGENCY", "requester": world.stranger}[field]})

    facts = gather(question).facts
    assert not facts.legs[0].is_intact
    assert [one.signature_ok for one in facts.legs[0].quorum.sign_offs] == [False]
    assert {"content_differs", "signature_differs"} <= set(judge(facts).codes)
