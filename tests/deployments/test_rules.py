"""The pure rules: every state, every role, every way back; tables, not examples."""

from dataclasses import replace
from itertools import product

import pytest

from apps.catalog.settings_body import Check, OnNoData, Source
from apps.core.refusals import Kind, not_now
from apps.deployments.rules.orders import (
    BeginFacts,
    Caller,
    DeploymentFacts,
    OrderFacts,
    WayBackFacts,
    may_roll_back,
    why_not_abort,
    why_not_begin,
    why_not_order,
    why_not_roll_back,
    why_not_settle,
    why_not_undo,
)
from apps.deployments.rules.stepping import RECONCILE_TRIES, LostFacts, Safety, Step, StepFacts, after_loss, next_step
from apps.deployments.rules.verdicts import Answer, Sample, check_verdict, worst_of
from apps.deployments.states import FINAL, IN_FLIGHT, MOVES, OWNERS, WORKED_ON, Owner, State

P, F, N, E = Sample.PASS, Sample.FAIL, Sample.NO_DATA, Sample.ERROR
OPERATOR, MANAGER, NOBODY = frozenset({"OPERATOR"}), frozenset({"RELEASE_MANAGER"}), frozenset({"APPROVER", "ADMINISTRATOR", "AUDITOR"})
REQUESTER = Caller(NOBODY, is_requester=True)
CALLERS = {"operator": Caller(OPERATOR), "manager": Caller(MANAGER), "requester": REQUESTER, "other": Caller(NOBODY)}


def a_check(**more: object) -> Check:
    given = {
        "name": "healthy", "source": Source.HTTP, "url": "http://x/", "expect_status": 200, "expect_text": "", "interval_seconds": 1,
        "count": 3, "warm_up_seconds": 0, "failure_limit": 0, "no_data_limit": 0, "on_no_data": OnNoData.HOLD, "critical": True,
    }  # fmt: skip
    return Check(**given | more)


@pytest.mark.parametrize(
    ("samples", "more", "answer"),
    [
        ([], {}, Answer.WAITING),
        ([P, P], {}, Answer.WAITING),
        ([P, P, P], {}, Answer.PASS),
        ([F], {}, Answer.FAIL),
        ([P, F], {}, Answer.FAIL),
        ([P, F, P], {"failure_limit": 1}, Answer.PASS),
        ([F, F], {"failure_limit": 1}, Answer.FAIL),
        ([N], {}, Answer.INCONCLUSIVE),
        ([N], {"on_no_data": OnNoData.FAIL}, Answer.FAIL),
        ([P, N, P], {"no_data_limit": 1}, Answer.PASS),
        ([N, N, N], {"no_data_limit": 3}, Answer.INCONCLUSIVE),
        ([E], {}, Answer.INCONCLUSIVE),
        ([E], {"on_no_data": OnNoData.FAIL}, Answer.INCONCLUSIVE),
        ([E, E, E], {"no_data_limit": 3}, Answer.INCONCLUSIVE),
        ([E, N], {"no_data_limit": 1, "on_no_data": OnNoData.FAIL}, Answer.INCONCLUSIVE),
        ([N, F, N], {"failure_limit": 1, "no_data_limit": 2}, Answer.INCONCLUSIVE),
    ],
)
def test_a_check_is_judged_by_all_its_measurements(samples, more, answer):
    assert check_verdict(samples, a_check(**more)) is answer


@pytest.mark.parametrize("samples", [[], [P], [P, P]])
def test_a_check_stopped_early_is_never_a_pass(samples):
    assert check_verdict(samples, a_check(), stopped=True) is Answer.INCONCLUSIVE


def test_nothing_but_passes_in_full_number_is_a_pass():
    for length in range(4):
        for samples in product(Sample, repeat=length):
            answer = check_verdict(samples, a_check(failure_limit=2, no_data_limit=2))
            if answer is Answer.PASS:
                assert length == 3
                assert P in samples


@pytest.mark.parametrize(
    ("answers", "worst"),
    [
        ([], Answer.PASS),
        ([Answer.PASS, Answer.PASS], Answer.PASS),
        ([Answer.PASS, Answer.INCONCLUSIVE], Answer.INCONCLUSIVE),
        ([Answer.INCONCLUSIVE, Answer.WAITING], Answer.WAITING),
        ([Answer.INCONCLUSIVE, Answer.FAIL, Answer.WAITING], Answer.FAIL),
    ],
)
def test_one_bad_check_outweighs_the_others(answers, worst):
    assert worst_of((a_check(), answer) for answer in answers) is worst


def test_a_check_that_is_not_critical_decides_nothing():
    assert worst_of([(a_check(critical=False), Answer.FAIL), (a_check(), Answer.PASS)]) is Answer.PASS


@pytest.mark.parametrize("state", State)
def test_every_state_has_an_owner_and_moves(state):
    assert state in OWNERS
    assert MOVES[state] <= set(State)
    assert (state in FINAL) == (OWNERS[state] is Owner.NOBODY)
    assert (state in WORKED_ON) == (OWNERS[state] is Owner.WORKER)


def test_every_state_leads_to_an_end():
    reached = set(FINAL)
    for _ in State:
        reached |= {state for state, goals in MOVES.items() if goals & reached}

    assert reached == set(State)


def test_a_lost_worker_is_never_a_failure():
    assert MOVES[State.UNKNOWN] == {State.RECONCILING}
    assert not MOVES[State.RECONCILING] & FINAL


STEPS = {
    State.QUEUED: Step.BEGIN, State.RUNNING: Step.START, State.VERIFYING: Step.VERIFY, State.ABORTING: Step.CANCEL,
    State.UNKNOWN: Step.RECONCILE, State.RECONCILING: Step.RECONCILE,
}  # fmt: skip


@pytest.mark.parametrize("state", State)
def test_the_next_step_of_every_state(state):
    assert next_step(StepFacts(state)) is STEPS.get(state, Step.NOTHING)
    assert next_step(StepFacts(state, is_leased=True)) is Step.NOTHING
    assert next_step(StepFacts(state, is_due=False)) is Step.NOTHING


def test_a_started_one_is_polled():
    assert next_step(StepFacts(State.RUNNING, is_started=True)) is Step.POLL


OLD, NEW, STRANGE = "git:old", "git:new", "git:strange"


def lost(runs: str | None, points_to: str | None, **more: object) -> State:
    given = {"safety": Safety.QUERYABLE, "wanted": frozenset({NEW}), "previous": frozenset({OLD}), "is_known": True}
    return after_loss(LostFacts(**given | {"runs": runs, "points_to": points_to} | more))


def test_what_a_lost_deployment_turns_out_to_be():
    for runs, points_to in product([OLD, NEW, STRANGE, None], repeat=2):
        expected = State.RUNNING
        if (runs, points_to) == (NEW, NEW):
            expected = State.VERIFYING
        elif STRANGE in {runs, points_to}:
            expected = State.NEEDS_HUMAN
        assert lost(runs, points_to) is expected
        assert lost(runs, points_to, safety=Safety.IDEMPOTENT) is expected
        assert lost(runs, points_to, safety=Safety.ONCE) is State.NEEDS_HUMAN
        assert lost(runs, points_to, was_aborting=True) is State.ABORTING
        assert lost(runs, points_to, is_known=False) is State.RECONCILING
        assert lost(runs, points_to, is_known=False, tries=RECONCILE_TRIES) is State.NEEDS_HUMAN
        assert lost(runs, points_to, tries=RECONCILE_TRIES) is State.NEEDS_HUMAN


def order_facts(who: str = "operator", **more: object) -> OrderFacts:
    return OrderFacts(**{"caller": CALLERS[who], "target": "shop in production"} | more)


@pytest.mark.parametrize("who", CALLERS)
def test_who_may_order(who):
    refusal = why_not_order(order_facts(who))

    assert (refusal is None) == (who != "other")
    assert refusal is None or refusal.kind is Kind.NOT_ALLOWED


def test_a_policy_may_keep_signing_and_starting_apart():
    signed = Caller(OPERATOR, has_signed=True)

    assert why_not_order(order_facts(caller=signed)) is None
    refusal = why_not_order(order_facts(caller=signed, forbids_signers=True))
    assert refusal is not None
    assert refusal.code == "signed_by_you"
    assert why_not_order(order_facts(forbids_signers=True)) is None


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"open_order": "DEP-3"}, "already_ordered"),
        ({"leg": not_now("leg_rolled_back", "It was rolled back.")}, "leg_rolled_back"),
        ({"settings_fault": "There are no settings."}, "settings_unusable"),
        ({"effect": "DENY", "finding_code": "held", "finding": "On hold.", "cure": "Lift it."}, "held"),
        ({"effect": "DENY"}, "gate_denies"),
        ({"effect": "PENDING", "finding_code": "sign_off_missing"}, "sign_off_missing"),
        ({"effect": "PENDING", "finding_code": "frozen"}, None),
        ({"effect": "PENDING", "finding_code": "occupied"}, None),
    ],
)
def test_what_stands_in_the_way_of_an_order(more, code):
    refusal = why_not_order(order_facts(**more))

    assert (refusal.code if refusal else None) == code


@pytest.mark.parametrize(
    ("who", "more", "code"),
    [
        ("operator", {}, None),
        ("manager", {}, None),
        ("requester", {}, None),
        ("other", {}, "not_operating"),
        ("operator", {"caller": None}, "orderer_not_present"),
        ("operator", {"caller": None, "by_machinery": True}, None),
        ("operator", {"caller": Caller(OPERATOR, has_signed=True)}, None),
        ("operator", {"caller": Caller(OPERATOR, has_signed=True), "forbids_signers": True}, "signed_by_you"),
        ("operator", {"names_same_version": False}, "version_changed"),
        ("operator", {"settings_hold": False}, "settings_differ"),
        ("operator", {"settings_hold": False, "by_machinery": True}, "settings_differ"),
    ],
)
def test_what_a_queued_order_is_asked_again_when_it_begins(who, more, code):
    refusal = why_not_begin(BeginFacts(**{"caller": CALLERS[who]} | more))

    assert (refusal.code if refusal else None) == code
    assert refusal is None or "You " not in str(refusal)


def facts_of(state: State, who: str = "operator", **more: object) -> DeploymentFacts:
    return DeploymentFacts(CALLERS[who], "DEP-7", state, **more)


@pytest.mark.parametrize(("state", "who"), [*product(State, CALLERS)])
def test_who_may_stop_what(state, who):
    allowed = who != "other" and state in {State.QUEUED, State.RUNNING}

    assert (why_not_abort(facts_of(state, who)) is None) == allowed
    assert why_not_abort(facts_of(state, who, has_switched=True)) is not None
    assert why_not_abort(facts_of(state, who, is_way_back=True)) is not None


@pytest.mark.parametrize(("state", "who"), [*product(State, CALLERS)])
def test_who_may_settle_what(state, who):
    allowed = who in {"operator", "manager"} and state is State.NEEDS_HUMAN

    assert (why_not_settle(facts_of(state, who)) is None) == allowed


GOOD_WAY_BACK = WayBackFacts("DEP-7", is_way_back=False, previous_label="3.17.0", runs_by_itself=True)


@pytest.mark.parametrize(("state", "who", "runs_now"), [*product(State, CALLERS, [True, False])])
def test_who_may_roll_back_what(state, who, runs_now):
    allowed = who != "other" and (state is State.VERIFYING or (state is State.SUCCEEDED and runs_now))

    assert (why_not_roll_back(facts_of(state, who), GOOD_WAY_BACK, runs_now=runs_now) is None) == allowed


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, None),
        ({"is_way_back": True}, "already_a_way_back"),
        ({"undone_by": "DEP-8"}, "already_undone"),
        ({"previous_label": ""}, "nothing_before"),
        ({"is_previous_bad": True}, "previous_is_bad"),
        ({"is_irreversible": True}, "irreversible"),
        ({"runs_by_itself": False}, "by_hand"),
    ],
)
def test_what_stands_in_the_way_of_a_way_back(more, code):

    facts = replace(GOOD_WAY_BACK, **more)
    refusal = why_not_undo(facts)

    assert (refusal.code if refusal else None) == code
    assert may_roll_back(facts) == (code is None)
    in_words = why_not_roll_back(facts_of(State.SUCCEEDED), facts, runs_now=True)
    assert (in_words.code if in_words else None) == code


def test_everything_in_flight_keeps_the_target():
    assert set(State) - FINAL - {State.QUEUED} == IN_FLIGHT
