"""Exceptions at the gate: what each kind passes and what none does, at the question, at the ticket and when a worker begins."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.actions import deactivate_person
from apps.accounts.roles import Role
from apps.approvals.actions import ask_for_change, withdraw_exception
from apps.approvals.models import Policy
from apps.approvals.rules import LIFTABLE, Debt, ExceptionFacts, ExceptionKind
from apps.audit.keys import public_key
from apps.catalog.models import Environment, Target
from apps.deployments.actions import order_deployment
from apps.deployments.runner.beginning import begin_deployment
from apps.gate.evaluate import answer
from apps.gate.gather import gather
from apps.gate.judgement import question_about, verdict_now
from apps.gate.rules import KEPT, RULES, SWITCHABLE, Action, Answer, Effect, judge
from apps.gate.tickets import open_ticket
from apps.schedule.facts import scope_of
from tests.approvals.material import person
from tests.approvals.world import edit, make_world
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import SignOffFactory, approve, make_policy
from tests.factories.catalog import EnvironmentFactory, make_target
from tests.factories.changes import as_modelled, make_standard_model
from tests.factories.deployments import FAKE, make_site
from tests.factories.exceptions import LegExceptionFactory, agreed, leg_of, make_emergency
from tests.factories.gate import facts_with, make_gate_token
from tests.factories.schedule import CalendarRuleFactory, HoldFactory

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def world(db):
    return make_world()


def code_of(finding):
    return finding.code, finding.effect.value


def found(change, *, now=NOW):
    return {code_of(finding) for finding in verdict_now(leg_of(change), now=now).findings}


def frozen(change):
    return CalendarRuleFactory(kind="FREEZE", scope=scope_of(leg_of(change).service).number, starts_at=NOW - HOUR, ends_at=NOW + 9 * HOUR)


def unpromoted(world):
    below = EnvironmentFactory(rank=world.target.environment.rank - 1, change_required="NO")
    make_target(world.target.service, below)


# What each kind passes


def test_emergency_stands_in_for_the_quorum_and_passes_promotion_with_warnings_that_name_both(world):
    unpromoted(world)
    change = make_emergency(world.target, world.requester)
    assert {("sign_off_missing", "WAIT"), ("not_promoted", "BLOCK")} <= found(change)

    agreed(change, world.requester, world.manager, "EMERGENCY", minutes=30)

    verdict = verdict_now(leg_of(change), now=NOW)
    assert verdict.verdict is Answer.ALLOW
    assert {("sign_off_missing", "WARN"), ("not_promoted", "WARN"), ("exception_in_force", "WARN")} <= found(change)
    said = next(one.message for one in verdict.findings if one.code == "not_promoted")
    assert "Rita and Max" in said
    assert all(one.cure and one.who for one in verdict.findings)
    assert "until" in said


def test_exception_ends_by_the_minute(world):
    change = make_emergency(world.target, world.requester)
    agreed(change, world.requester, world.manager, "EMERGENCY", minutes=30)

    assert verdict_now(leg_of(change), now=NOW + 30 * MINUTE - timedelta(seconds=1)).verdict is Answer.ALLOW
    assert verdict_now(leg_of(change), now=NOW + 30 * MINUTE).verdict is Answer.PENDING


def test_emergency_passes_neither_freeze_nor_hold(world):
    change = make_emergency(world.target, world.requester)
    agreed(change, world.requester, world.manager, "EMERGENCY")
    frozen(change)
    HoldFactory(scope=scope_of(leg_of(change).service).number, source="INCIDENT")

    assert {("frozen", "WAIT"), ("held", "BLOCK")} <= found(change)
    agreed(change, world.requester, world.manager, "FREEZE")
    assert {("frozen", "WARN"), ("held", "BLOCK")} <= found(change)
    agreed(change, world.requester, world.manager, "GATE", lifts=("hold",))
    assert {("frozen", "WARN"), ("held", "WARN")} <= found(change)
    assert verdict_now(leg_of(change), now=NOW).verdict is Answer.ALLOW


def test_freeze_exception_passes_no_missing_agreement(world):
    change = world.change()
    frozen(change)
    agreed(change, world.requester, world.manager, "FREEZE")

    assert {("frozen", "WARN"), ("sign_off_missing", "WAIT")} <= found(change)
    approve(change, world.business)
    assert verdict_now(leg_of(change), now=NOW).verdict is Answer.ALLOW


def test_missing_policy_is_passed_by_nobody(world):
    change = make_emergency(world.target, world.requester)
    agreed(change, world.requester, world.manager, "EMERGENCY")
    Policy.objects.update(retired_at=NOW)

    assert ("no_policy", "BLOCK") in found(change)


def test_broken_signature_of_a_sign_off_is_passed_by_nobody(world):
    change = make_emergency(world.target, world.requester)
    agreed(change, world.requester, world.manager, "EMERGENCY")
    SignOffFactory(change=change, revision=change.revision, person=world.business)

    assert ("signature_differs", "BLOCK") in found(change)


def test_going_back_needs_no_exception_and_is_given_none(world):
    change = make_emergency(world.target, world.requester)
    agreed(change, world.requester, world.manager, "GATE", lifts=("lock",))
    Target.objects.filter(pk=world.target.pk).update(locked_at=NOW, locked_by="SYSTEM:test", lock_reason="Disk swap.")

    asked = replace(question_about(leg_of(change)), action=Action.ROLLBACK)
    facts = gather(asked, now=NOW).facts
    assert "locked" in {one.code for one in judge(facts).findings if one.effect is Effect.BLOCK}
    assert ("locked", "WARN") in found(change)


@pytest.mark.parametrize("other", ["leg", "version"])
def test_exception_is_for_one_leg_and_one_version(world, other):
    change = make_emergency(world.target, world.requester)
    agreed(change, world.requester, world.manager, "EMERGENCY")
    if other == "leg":
        change = make_emergency(world.target, world.requester)
    else:
        edit(change, "scope")

    assert ("sign_off_missing", "WAIT") in found(change)


@pytest.mark.parametrize("who", ["requester", "manager"])
def test_who_is_deactivated_stands_for_nothing_any_more(world, who):
    change = make_emergency(world.target, world.requester)
    agreed(change, world.requester, world.manager, "EMERGENCY")

    deactivate_person(person_id=getattr(world, who).pk, by=make_person(Role.ADMINISTRATOR).actor, now=NOW)

    assert {("sign_off_missing", "WAIT"), ("exception_void", "WARN")} <= found(change)


def test_row_put_in_by_hand_passes_nothing_and_is_told(world):
    change = make_emergency(world.target, world.requester)
    LegExceptionFactory(leg=leg_of(change), revision=change.revision, kind="EMERGENCY", asked_by=world.requester, agreed_by=world.manager)

    verdict = verdict_now(leg_of(change), now=NOW)

    assert verdict.verdict is Answer.PENDING
    said = next(one.message for one in verdict.findings if one.code == "exception_void")
    assert "its signatures do not prove it" in said


def test_withdrawn_exception_passes_nothing(world):
    change = make_emergency(world.target, world.requester)
    one = agreed(change, world.requester, world.manager, "EMERGENCY")
    withdraw_exception(exception_id=one.pk, by=world.manager.actor, now=NOW)

    assert ("sign_off_missing", "WAIT") in found(change)


def test_exception_of_a_change_that_was_approved_beforehand_counts(world):
    """Its revisions are bound to its model too, and so is what both persons signed."""
    model = make_standard_model(world.target)
    content = as_modelled(model, world.target)
    change = ask_for_change(content=content, by=world.requester.actor, is_submitted=True, made_from=model.version_id, now=NOW)
    frozen(change)
    assert ("frozen", "WAIT") in found(change)

    agreed(change, world.requester, world.manager, "FREEZE")

    assert {("frozen", "WARN"), ("exception_in_force", "WARN")} <= found(change)


def test_overdue_review_voids_what_was_agreed_to_in_spite_of_it_and_a_row_put_in_by_hand_does_not(world):
    then = NOW - timedelta(days=5)
    earlier, change = make_emergency(world.target, world.requester, now=then), make_emergency(world.target, world.requester)
    LegExceptionFactory(leg=leg_of(earlier), revision=earlier.revision, agreed_at=then, ends_at=then + HOUR, review_due_at=then + 72 * HOUR)
    agreed(change, world.requester, world.manager, "EMERGENCY")
    assert ("sign_off_missing", "WARN") in found(change)
    assert not {"review_overdue", "exception_void"} & {code for code, _ in found(change)}

    agreed(earlier, world.requester, world.manager, now=then)

    assert {("sign_off_missing", "WAIT"), ("exception_void", "WARN"), ("review_overdue", "WARN")} <= found(change)


# Tickets and workers


def test_ticket_does_not_outlive_the_exception_it_relied_on(world):
    now = timezone.now()
    change = make_emergency(world.target, world.requester, now=now)
    one = agreed(change, world.requester, world.manager, "EMERGENCY", minutes=5, now=now)
    token, _ = make_gate_token()
    leg = leg_of(change)
    question = replace(question_about(leg), leg_id=None, credential=token.hash, key="one")

    for _ in range(2):  # the same ticket is told again
        body = answer(question).body
        assert body["verdict"] == "ALLOW", body
        permit = open_ticket(body["ticket"], keys=public_key, now=timezone.now())
        assert permit.expires_at <= one.ends_at


@pytest.mark.parametrize("is_withdrawn", [False, True])
def test_worker_begins_while_the_exception_stands_and_not_after(db, is_withdrawn):
    FAKE.reset()
    now, requester, manager = timezone.now(), make_person(Role.REQUESTER), make_person(Role.RELEASE_MANAGER)
    target = make_site()
    Environment.objects.filter(pk=target.environment_id).update(change_required="APPROVED")
    target.environment.refresh_from_db()
    make_policy(target.environment, service=target.service)
    change = make_emergency(target, requester, now=now)
    one = agreed(change, requester, manager, "EMERGENCY", now=now)
    order = order_deployment(leg_of(change).pk, by=make_person(Role.OPERATOR).actor)
    if is_withdrawn:
        withdraw_exception(exception_id=one.pk, by=manager.actor)

    assert begin_deployment(order.pk) is not is_withdrawn

    order.refresh_from_db()
    change.refresh_from_db()
    assert order.state == ("FAILED" if is_withdrawn else "RUNNING")
    assert change.state == "IN_REVIEW"


# Pure


def exception(**more):
    first, second = person(10, role="REQUESTER"), person(11, owner="BUSINESS")
    leg = facts_with().legs[0]
    return ExceptionFacts(
        id=first.id,
        ref="EXC-1",
        kind="GATE",
        lifts=frozenset({"hold"}),
        asked_by=first,
        asked_at=facts_with().now - MINUTE,
        covers=leg.quorum.digests,
        settings=facts_with().target.settings_digest,
        identities=tuple(sorted(leg.identities)),
        signature_ok=True,
        agreed_by=second,
        agreed_at=facts_with().now - MINUTE,
        ends_at=facts_with().now + MINUTE,
        **more,
    )


def test_liftable_rules_are_rules_of_the_gate_that_may_be_switched_off():
    titles = {rule.name: rule.title for rule in RULES}

    assert set(LIFTABLE) <= SWITCHABLE
    assert not set(LIFTABLE) & KEPT
    assert all(titles[name] == title for name, title in LIFTABLE.items())
    assert "free" not in LIFTABLE


@pytest.mark.parametrize("kept", sorted(KEPT))
def test_rule_that_is_kept_is_lifted_by_no_row_whatever_it_says(kept):
    one = exception()
    named = replace(one, lifts=frozenset({kept, "free"}))

    assert not named.rules


def test_debt_from_before_the_agreement_voids_it_and_a_later_one_is_told():
    base = facts_with()
    one = exception()
    for due, codes in ((one.agreed_at, {"exception_void", "review_overdue"}), (base.now, {"exception_in_force", "review_overdue"})):
        leg = replace(base.legs[0], exceptions=(replace(one, debts=(Debt("EXC-0", due),)),))
        told = {finding.code for finding in judge(replace(base, legs=(leg,))).findings}
        assert codes <= told


def test_kinds_are_those_of_the_product():
    assert [*ExceptionKind] == ["EMERGENCY", "FREEZE", "GATE"]
    assert all(kind.label and kind.text for kind in ExceptionKind)
