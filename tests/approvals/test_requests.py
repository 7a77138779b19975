"""Submitting, revising and expiring: each works, each is refused."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.approvals.actions import expire_change, revise_change, submit_change
from apps.approvals.beat import expire_changes
from apps.approvals.facts import quorum_facts, review_facts
from apps.approvals.rules import forecast
from apps.audit.vocabulary import Event
from apps.catalog.models import ChangeRequired
from apps.changes.content import Rollback
from apps.changes.facts import content_of
from apps.changes.models import Change
from apps.changes.states import State
from apps.changes.steps import leg_started
from apps.core.refusals import BadContent, Refused
from tests.approvals.world import edit, events, make_world
from tests.conftest import NOW
from tests.factories.approvals import SYSTEM, SignOffFactory, a_rule, approve, make_change, make_place, make_policy, newest
from tests.factories.catalog import EnvironmentFactory, make_target


@pytest.fixture
def world(db):
    return make_world()


def refused(code):
    return pytest.raises(Refused, check=lambda error: error.refusal.code == code)


def test_submit_moves_to_review(world):
    change = world.change(State.DRAFT)

    submit_change(change_id=change.pk, by=world.requester.actor, now=NOW)

    change.refresh_from_db()
    assert (change.state, change.submitted_at) == (State.IN_REVIEW, NOW)
    assert events(change)[-1] == Event.CHANGE_SUBMITTED


def test_submit_without_a_rollback_plan_names_the_field(world):
    change = world.change(State.DRAFT, rollback=Rollback())

    with pytest.raises(BadContent) as bad:
        submit_change(change_id=change.pk, by=world.requester.actor, now=NOW)

    assert "rollback.strategy" in bad.value.errors
    assert Change.objects.get().state == State.DRAFT


@pytest.mark.parametrize("who", ["stranger", "business", "manager"])
def test_submit_by_somebody_else_is_refused(world, who):
    change = world.change(State.DRAFT)

    with refused("not_yours"):
        submit_change(change_id=change.pk, by=getattr(world, who).actor, now=NOW)


@pytest.mark.parametrize("state", [state for state in State if state is not State.DRAFT])
def test_submit_in_any_other_state_is_refused(world, state):
    change = world.change(state)

    with refused("not_a_draft"):
        submit_change(change_id=change.pk, by=world.requester.actor, now=NOW)


@pytest.mark.parametrize("state", list(State))
def test_revise_in_each_state(world, state):
    change = world.change(state)

    if state in {State.DRAFT, State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS}:
        assert edit(change, "story").number == 2
    else:
        with refused("change_is_over"):
            edit(change, "story")


def test_revise_by_somebody_who_asks_for_nothing_is_refused(world):
    change = world.change()

    with refused("not_yours"):
        edit(change, "plan", by=world.stranger)


def test_revise_with_content_that_cannot_be_kept_is_bad_content(world):
    change = world.change()
    content = content_of(newest(change))

    with pytest.raises(BadContent) as bad:
        revise_change(
            change_id=change.pk,
            content=replace(content, scope=replace(content.scope, reason="\x00")),
            by=world.requester.actor,
            now=NOW,
        )

    assert "scope.reason" in bad.value.errors


@pytest.mark.parametrize("required", [ChangeRequired.NO, ChangeRequired.RECORDED])
def test_submit_where_nobody_must_agree_is_approved_at_once_by_the_quorum(db, required):
    place = make_place(environment=EnvironmentFactory(change_required=required))

    change = make_change(State.APPROVED, targets=(place,))

    assert change.moves.get(goal=State.APPROVED).by == "SYSTEM:quorum"


def test_submit_without_a_policy_is_never_approved(db):
    change = make_change(State.IN_REVIEW, targets=(make_place(policy=False),))

    (said,) = (forecast(leg) for leg in review_facts(change).legs)

    assert not said.can_be_met
    assert said.cures[0].startswith("No policy says who agrees")


def test_quorum_facts_are_those_of_one_environment(world):
    other = make_target(world.target.service, EnvironmentFactory(rank=1))
    other.running_label, other.running_identities, other.running_since = "1", ["git:" + "4f" * 20], NOW
    other.save()
    change = make_change(State.IN_REVIEW, targets=(other, world.target), requester=world.requester)

    (leg,) = quorum_facts(change, world.target.environment)

    assert (leg.environment, leg.policy is None) == (world.target.environment.name, False)
    assert len(review_facts(change).legs) == 2


def test_review_facts_cost_the_same_with_many_sign_offs(world):
    change = world.change()
    key_id = approve(change, world.business).key_id
    counts = []

    for number in (2, 10):
        SignOffFactory.create_batch(number, change=change, revision=newest(change), requester=world.requester, key_id=key_id)
        with CaptureQueriesContext(connection) as asked:
            review_facts(change)
        counts.append(len(asked))

    assert counts[0] == counts[1] <= 12


@pytest.mark.parametrize("state", [State.IN_REVIEW, State.APPROVED])
def test_expire_after_the_period_ends_the_change(world, state):
    change = world.change(state)

    expire_change(change_id=change.pk, by=SYSTEM, now=change.not_after)

    change.refresh_from_db()
    assert change.state == State.EXPIRED
    assert not change.legs.filter(is_open=True).exists()


def test_expire_before_the_period_ends_is_refused(world):
    change = world.change()

    with refused("period_not_over"):
        expire_change(change_id=change.pk, by=SYSTEM, now=change.not_after - timedelta(seconds=1))


@pytest.mark.parametrize("state", [state for state in State if state not in {State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS}])
def test_expire_in_any_other_state_is_refused(world, state):
    change = world.change(state)

    with refused("not_submitted" if state is State.DRAFT else "change_is_over"):
        expire_change(change_id=change.pk, by=SYSTEM, now=change.not_after)


def test_expire_waits_for_a_running_deployment(world):
    change = world.change(State.APPROVED)
    leg_started(change.legs.get(), by=SYSTEM, at=NOW)

    with refused("leg_in_flight"):
        expire_change(change_id=change.pk, by=SYSTEM, now=change.not_after)


def test_the_clock_expires_what_is_due_and_nothing_else(world):
    due, running, later, draft = world.change(), world.change(State.APPROVED), world.change(), world.change(State.DRAFT)
    leg_started(running.legs.get(), by=SYSTEM, at=NOW)
    Change.objects.exclude(pk=later.pk).update(not_after=NOW - timedelta(days=365))

    assert expire_changes() == 1
    assert expire_changes() == 0

    states = {change.pk: change.state for change in Change.objects.all()}
    assert states == {due.pk: State.EXPIRED, running.pk: State.IN_PROGRESS, later.pk: State.IN_REVIEW, draft.pk: State.DRAFT}


def test_a_tightened_policy_shows_at_the_next_sign_off(world):
    change = world.change(State.APPROVED)
    make_policy(world.target.environment, a_rule(needed=2), a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}))

    approve(change, world.manager)

    change.refresh_from_db()
    assert change.state == State.IN_REVIEW
