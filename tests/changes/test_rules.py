"""What may be done with a change, over every state, leg and role: pure, no database."""

from dataclasses import replace
from itertools import product
from uuid import UUID

import pytest

from apps.accounts.roles import Role
from apps.changes.content import EnvironmentRef, Rollback, Strategy
from apps.changes.rules import (
    Asker,
    ChangeFacts,
    LegFacts,
    has_tries_left,
    is_finished,
    outcome_of,
    why_not_change_started,
    why_not_close,
    why_not_create,
    why_not_expire,
    why_not_finish,
    why_not_places,
    why_not_review,
    why_not_revise,
    why_not_rollback,
    why_not_send_back,
    why_not_start_leg,
    why_not_submit,
    why_not_withdraw,
)
from apps.changes.states import EDITABLE, LARGEST_FAILURES, OPEN, LegState, Outcome, State
from apps.core.refusals import Kind
from tests.factories.changes import ENVIRONMENT_ID, OTHER_COMMIT, SERVICE_ID, make_content, make_item

REQUESTER, OTHER = UUID(int=1), UUID(int=2)
OWNER = Asker(REQUESTER)
PLACE = (SERVICE_ID, ENVIRONMENT_ID)


def leg(state=LegState.WAITING, **more) -> LegFacts:
    return LegFacts(SERVICE_ID, ENVIRONMENT_ID, "Checkout web in Production", state, **more)


def facts(state=State.DRAFT, *legs: LegFacts, not_after=None) -> ChangeFacts:
    return ChangeFacts("CHG-7", state, REQUESTER, not_after, legs or (leg(),))


VERBS = {
    "revise": (why_not_revise, EDITABLE),
    "submit": (why_not_submit, {State.DRAFT}),
    "withdraw": (why_not_withdraw, EDITABLE),
    "close": (why_not_close, {State.POST_REVIEW}),
}


@pytest.mark.parametrize(("verb", "state"), [*product(VERBS, State)])
def test_a_verb_works_in_its_states_alone(verb, state):
    rule, allowed = VERBS[verb]

    refusal = rule(facts(state), by=OWNER)

    assert (refusal is None) is (state in allowed)
    assert refusal is None or (refusal.kind is Kind.NOT_NOW and refusal.reason.startswith("CHG-7 is"))


@pytest.mark.parametrize("state", State)
def test_finish_ends_what_was_started_and_open(state):
    refusal = why_not_finish(facts(state, leg(LegState.DONE)), by=OWNER)

    assert (refusal is None) is (state in OPEN)


ROLES_BY_VERB = {
    "create": (lambda by: why_not_create(by=by), {Role.REQUESTER}),
    "revise a draft": (lambda by: why_not_revise(facts(), by=by), set()),
    "revise": (lambda by: why_not_revise(facts(State.IN_REVIEW), by=by), {Role.REQUESTER}),
    "submit": (lambda by: why_not_submit(facts(), by=by), set()),
    "withdraw": (lambda by: why_not_withdraw(facts(State.APPROVED), by=by), {Role.RELEASE_MANAGER}),
    "finish": (lambda by: why_not_finish(facts(State.IN_PROGRESS, leg(LegState.FAILED)), by=by), {Role.RELEASE_MANAGER, Role.OPERATOR}),
    "close": (lambda by: why_not_close(facts(State.POST_REVIEW), by=by), {Role.RELEASE_MANAGER}),
}


@pytest.mark.parametrize(("verb", "role"), [*product(ROLES_BY_VERB, [None, *Role])])
def test_others_need_the_role_of_the_verb(verb, role):
    rule, allowed = ROLES_BY_VERB[verb]

    refusal = rule(Asker(OTHER, frozenset({role} if role else set())))

    assert (refusal is None) is (role in allowed)
    assert refusal is None or refusal.kind is Kind.NOT_ALLOWED


@pytest.mark.parametrize("verb", ROLES_BY_VERB)
def test_nobody_behind_the_act_is_nobody(verb):
    rule, _ = ROLES_BY_VERB[verb]

    assert rule(Asker(None, frozenset(Role))).kind is Kind.NOT_ALLOWED


@pytest.mark.parametrize("state", [*LegState])
def test_what_was_started_is_not_withdrawn_or_sent_back(state):
    untouched = state in {LegState.WAITING, LegState.SKIPPED}

    withdraw = why_not_withdraw(facts(State.IN_REVIEW, leg(state)), by=OWNER)
    back = why_not_send_back(facts(State.IN_REVIEW, leg(state)))

    assert (withdraw is None, back is None) == (untouched, untouched)
    if not untouched:
        assert withdraw.code == back.code == "already_started"


@pytest.mark.parametrize("state", State)
def test_only_a_change_in_review_is_sent_back(state):
    assert (why_not_send_back(facts(state)) is None) is (state is State.IN_REVIEW)


@pytest.mark.parametrize(
    ("legs", "code"),
    [([leg(LegState.STARTED)], "leg_in_flight"), ([leg()], "nothing_started"), ([leg(LegState.ROLLED_BACK), leg()], None)],
)
def test_finish_waits_for_what_runs_and_leaves_untouched_changes_to_withdraw(legs, code):
    refusal = why_not_finish(facts(State.IN_REVIEW, *legs), by=OWNER)

    assert (refusal.code if refusal else None) == code


def test_a_change_expires_when_its_period_is_over_and_nothing_runs(now):
    assert why_not_expire(facts(State.APPROVED, not_after=now), now=now) is None
    assert why_not_expire(facts(State.APPROVED, not_after=now.replace(hour=23)), now=now).code == "period_not_over"
    assert why_not_expire(facts(State.APPROVED, leg(LegState.STARTED), not_after=now), now=now).code == "leg_in_flight"
    assert why_not_expire(facts(State.DRAFT, not_after=now), now=now).code == "not_submitted"
    assert why_not_expire(facts(State.CLOSED, not_after=now), now=now).code == "change_is_over"


@pytest.mark.parametrize(("change", "state"), [*product(State, LegState)])
def test_a_leg_starts_waiting_or_failed_in_an_open_change(change, state):
    refusal = why_not_start_leg(change=change, leg=state, failures_count=0)

    assert (refusal is None) is (change in OPEN and state in {LegState.WAITING, LegState.FAILED})


def test_a_leg_that_failed_three_times_is_not_started_again():
    tries = [why_not_start_leg(change=State.APPROVED, leg=LegState.FAILED, failures_count=count) for count in range(1, 5)]

    assert [refusal.code if refusal else None for refusal in tries] == [None, None, "no_tries_left", "no_tries_left"]
    assert has_tries_left(LARGEST_FAILURES - 1)
    assert not has_tries_left(LARGEST_FAILURES)


D, F, R, S, W, T = (
    LegState.DONE,
    LegState.FAILED,
    LegState.ROLLED_BACK,
    LegState.SKIPPED,
    LegState.WAITING,
    LegState.STARTED,
)


@pytest.mark.parametrize(
    ("states", "outcome", "finished"),
    [
        ([D], Outcome.SUCCESSFUL, True),
        ([D, D], Outcome.SUCCESSFUL, True),
        ([D, S], Outcome.SUCCESSFUL_WITH_ISSUES, True),
        ([D, W], Outcome.SUCCESSFUL_WITH_ISSUES, False),
        ([D, R], Outcome.ROLLED_BACK, False),
        ([D, F], Outcome.FAILED, False),
        ([R, F], Outcome.FAILED, False),
        ([S, S], Outcome.NOT_DEPLOYED, True),
        ([W], Outcome.NOT_DEPLOYED, False),
        ([D, T], Outcome.SUCCESSFUL_WITH_ISSUES, False),
    ],
)
def test_outcome_is_that_of_the_worst_leg(states, outcome, finished):
    legs = [leg(state) for state in states]

    assert (outcome_of(legs), is_finished(legs)) == (outcome, finished)


def test_success_after_a_failure_or_a_way_back_has_issues():
    assert outcome_of([leg(D, failures_count=1)]) is Outcome.SUCCESSFUL_WITH_ISSUES
    assert outcome_of([leg(D, rolled_back_revision=2)]) is Outcome.SUCCESSFUL_WITH_ISSUES


def test_a_leg_without_tries_left_and_no_leg_at_all():
    assert is_finished([leg(D), leg(F, failures_count=LARGEST_FAILURES)])
    assert not is_finished([])


def test_a_review_is_owed_where_not_all_went_well():
    assert why_not_review(Outcome.SUCCESSFUL, review="") == {}
    assert [*why_not_review(Outcome.ROLLED_BACK, review=" ")] == ["review"]
    assert why_not_review(Outcome.ROLLED_BACK, review="The migration was slow.") == {}


@pytest.mark.parametrize("state", LegState)
@pytest.mark.parametrize(
    "items",
    [(), (make_item(identities=(OTHER_COMMIT,)),), (make_item(label="other"),), (replace(make_item(), environments=()),)],
    ids=["removed", "other commit", "other label", "environment removed"],
)
def test_a_started_leg_freezes_its_own_item(state, items):
    old = make_content()
    new = replace(old, scope=replace(old.scope, items=items))

    refusal = why_not_change_started(old, new, legs=[leg(state)])

    assert (refusal is not None) is (state not in {LegState.WAITING, LegState.SKIPPED})


def test_a_started_leg_leaves_everything_else_to_edit():
    old = make_content()
    more = replace(make_item(), environments=(*make_item().environments, EnvironmentRef(UUID(int=5), "Staging")))
    other = replace(make_item(), service_id=UUID(int=6))
    new = replace(old, scope=replace(old.scope, items=(other, more), reason="Another"), rollback=Rollback())

    assert why_not_change_started(old, new, legs=[leg(LegState.DONE)]) is None


def test_places_are_named_by_field():
    content = make_content()
    known = {"services": {SERVICE_ID}, "environments": {ENVIRONMENT_ID}, "targets": {PLACE}}

    assert why_not_places(content, **known) == {}
    assert [*why_not_places(content, **known | {"services": set()})] == ["scope.items.0.service"]
    assert "no such environment" in why_not_places(content, **known | {"environments": set()})["scope.items.0.environments"][0]
    assert "no target in Production" in why_not_places(content, **known | {"targets": set()})["scope.items.0.environments"][0]


def test_a_first_deployment_has_nothing_to_go_back_to():
    content = make_content()
    forward = make_content(rollback=Rollback(strategy=Strategy.FIX_FORWARD))

    assert why_not_rollback(content, runs={PLACE: True}) == {}
    assert why_not_rollback(forward, runs={}) == {}
    (sentence,) = why_not_rollback(content, runs={PLACE: False})["rollback.strategy"]
    assert "Checkout web in Production" in sentence
    assert "Choose fix forward" in sentence
